# `make demo` and `make test` need only python3 (3.11 or newer), make and a package index.
PYTHON ?= python3
BIN := .venv/bin
# POSIX venv layout; on Windows run the same commands with .venv\Scripts.

.PHONY: demo test lint bench lock clean

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("claude-mem needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# `make demo` and `make test` need only python3 (3.11 or newer), make and a package index.
PYTHON ?= python3
BIN := .venv/bin
# POSIX venv layout; on Windows run the same commands with .venv\Scripts.

.PHONY: demo test lint bench growth soak attacks fuzz audit lock clean

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("claude-mem needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/.installed  ## play a recorded session, and show what the next one would read
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && export CLAUDE_MEM_HOME="$$home" && \
	$(BIN)/claude-mem replay fixtures/ordinary && \
	printf '\nThe next session in that project reads at its start:\n\n' && \
	$(BIN)/claude-mem context --project /home/dev/tidytime

test: .venv/.installed  ## the whole suite, with the real Claude Code CLI on loopback
	$(BIN)/python -m pytest -m "not alone" -n 2
	$(BIN)/python -m pytest -m alone

lint: .venv/.installed  ## style, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: .venv/.installed  ## every figure as a ratio to a baseline of the same run, in a quarter of an hour
	$(BIN)/python -m benchmarks

growth: .venv/.installed  ## a hundredth of a heavy user's year, simulated; PERCENT=100 for all of it
	$(BIN)/python -m benchmarks.growth --percent $(or $(PERCENT),1)

soak: .venv/.installed  ## faults by the hundred for half an hour, and the table of what was lost by them
	$(BIN)/python -m tests.soak

attacks: .venv/.installed  ## secrets and attacks by the hundred, and the table of what got through
	$(BIN)/python -m tests.attacks

fuzz: .venv/.installed  ## whatever can be made up, at every door, for ten minutes; MINUTES=600 for a night
	$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10)

audit: .venv/.installed  ## what is locked against the known vulnerabilities; asks the package index
	@said=$$(mktemp) && trap 'rm -f "$$said"' EXIT; \
	$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock 2>"$$said" && cat "$$said" >&2 && exit 0; \
	if grep -qE "Connection(Error|Timeout)|ConnectTimeout|ReadTimeout|ServiceError" "$$said"; then \
		echo "make audit: cannot reach the package index, which knows of the vulnerabilities; try again with a network" >&2; \
	elif grep -q "could not be audited" "$$said"; then \
		cat "$$said" >&2; \
		echo "make audit: what answers as the package index knows nothing of vulnerabilities; try again where pypi.org does" >&2; \
	else cat "$$said" >&2; fi; exit 1

lock: .venv/.installed  ## resolve the dependencies anew, for every platform
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
		--python-version 3.11 --extra dev --upgrade pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache dist build

"""What test runners, linters and compilers say at their end, as each of them writes it."""

from __future__ import annotations

import pytest

from watcher.agent import runs

PYTEST = """\
.F..                                                                     [100%]
=========================== short test summary info ============================
FAILED tests/test_login.py::test_timeout[a b] - AssertionError: assert 30 == 1800
========================= 1 failed, 3 passed in 0.12s =========================="""
UNITTEST = """\
======================================================================
FAIL: test_day (tests.test_report.Total.test_day)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "tests/test_report.py", line 15, in test_day
    self.assertEqual(totals, 3)
AssertionError: 4 != 3

----------------------------------------------------------------------
Ran 4 tests in 0.001s

FAILED (failures=1)"""
JEST = """\
  ● login › times out

    expect(received).toBe(expected) // Object.is equality

Test Suites: 1 failed, 2 passed, 3 total
Tests:       1 failed, 5 passed, 6 total"""
VITEST = (
    " FAIL  src/a.test.ts > login > times out\nAssertionError: expected 1 to be 2\n\n Tests  1 failed | 5 passed (6)"
)
MOCHA = (
    "  5 passing (12ms)\n  1 failing\n\n  1) login\n       times out:\n\n      AssertionError: expected 1 to equal 2\n"
)
GO = "--- FAIL: TestLogin (0.00s)\n    login_test.go:12: got 3, want 4\nFAIL\nFAIL\texample.com/shop\t0.01s\nFAIL"
CARGO = """\
---- login::times_out stdout ----
thread 'login::times_out' panicked at src/login.rs:5:9:
assertion failed

test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s"""
MAVEN = (
    "[ERROR]   LoginTest.timesOut:12 expected: <3> but was: <4>\n"
    "[ERROR] Tests run: 4, Failures: 1, Errors: 0, Skipped: 0"
)
GRADLE = (
    "LoginTest > timesOut() FAILED\n    java.lang.AssertionError: 3\n\n4 tests completed, 1 failed\nBUILD FAILED in 2s"
)
DOTNET = "  Failed Shop.LoginTest.TimesOut [3 ms]\n\nFailed!  - Failed:     1, Passed:     3, Skipped:     0, Total: 4"
RSPEC = "4 examples, 1 failure\n\nFailed examples:\n\nrspec ./spec/login_spec.rs:3 # Login times out"
PHPUNIT = "1) LoginTest::testTimeout\nFailed asserting that 3 is 4.\n\nFAILURES!\nTests: 4, Assertions: 5, Failures: 1."


@pytest.mark.parametrize(
    ("output", "runner", "said", "failing"),
    [
        (
            PYTEST,
            "pytest",
            "1 failed, 3 passed",
            {"tests/test_login.py::test_timeout[a b]": "AssertionError: assert 30 == 1800"},
        ),
        (
            UNITTEST,
            "unittest",
            "4 tests, FAILED (failures=1)",
            {"tests.test_report.Total.test_day": "AssertionError: 4 != 3"},
        ),
        (
            JEST,
            "jest",
            "1 failed, 5 passed, 6 total",
            {"login › times out": "expect(received).toBe(expected) // Object.is equality"},
        ),
        (
            VITEST,
            "vitest",
            "1 failed | 5 passed",
            {"src/a.test.ts > login > times out": "AssertionError: expected 1 to be 2"},
        ),
        (MOCHA, "mocha", "5 passing, 1 failing", {"login times out": "AssertionError: expected 1 to equal 2"}),
        (GO, "go test", "FAIL, example.com/shop", {"TestLogin": "(0.00s)"}),
        (
            CARGO,
            "cargo test",
            "FAILED, 3 passed; 1 failed",
            {"login::times_out": "thread 'login::times_out' panicked at src/login.rs:5:9:"},
        ),
        (
            MAVEN,
            "maven",
            "Tests run: 4, Failures: 1, Errors: 0, Skipped: 0",
            {"LoginTest.timesOut": "expected: <3> but was: <4>"},
        ),
        (GRADLE, "gradle", "BUILD FAILED", {"LoginTest > timesOut()": "java.lang.AssertionError: 3"}),
        (DOTNET, "dotnet test", "Failed: 1, Passed: 3", {"Shop.LoginTest.TimesOut": ""}),
        (RSPEC, "rspec", "4 examples, 1 failure", {"./spec/login_spec.rs:3 # Login times out": ""}),
        (
            PHPUNIT,
            "phpunit",
            "Tests: 4, Assertions: 5, Failures: 1",
            {"LoginTest::testTimeout": "Failed asserting that 3 is 4."},
        ),
    ],
)
def test_a_failing_run(output: str, runner: str, said: str, failing: dict[str, str]) -> None:
    run = runs.read(output)
    assert run is not None
    assert (run.runner, run.said, run.failed) == (runner, said, True)
    assert {name: run.failing[name] for name in run.failing} == failing


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("5 passed, 1 xfailed, 2 warnings in 0.20s", "5 passed, 1 xfailed, 2 warnings"),
        ("Ran 4 tests in 0.001s\n\nOK (skipped=1)", "4 tests, OK (skipped=1)"),
        ("Tests:       6 passed, 6 total", "6 passed, 6 total"),
        ("\x1b[32m  5 passing\x1b[0m (12ms)", "5 passing"),
        ("ok  \texample.com/shop\t0.01s", "ok, example.com/shop"),
        ("test result: ok. 4 passed; 0 failed; 0 ignored", "ok, 4 passed; 0 failed"),
        ("[INFO] Tests run: 4, Failures: 0, Errors: 0, Skipped: 0", "Tests run: 4, Failures: 0, Errors: 0, Skipped: 0"),
        ("BUILD SUCCESSFUL in 2s", "BUILD SUCCESSFUL"),
        ("Passed!  - Failed:     0, Passed:     4", "Failed: 0, Passed: 4"),
        ("4 examples, 0 failures", "4 examples, 0 failures"),
        ("OK (4 tests, 5 assertions)", "4 tests"),
    ],
)
def test_a_passing_run(output: str, said: str) -> None:
    assert runs.read(output) == runs.Run(runs.read(output).runner, said, False)  # type: ignore[union-attr]


@pytest.mark.parametrize("output", ["", "Done.", "3 files changed", "FAILED to connect", "tests in 3 s"])
def test_what_is_no_run(output: str) -> None:
    assert runs.read(output) is None


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("a.py:1:1: F401 unused import\nFound 2 errors.", "Found 2 errors"),
        (
            "src/a.ts(3,5): error TS2322: no\nFound 1 error in src/a.ts:3",
            "Found 1 error in src/a.ts:3: src/a.ts(3,5): error TS2322: no",
        ),
        ("✖ 3 problems (3 errors, 0 warnings)", "✖ 3 problems (3 errors, 0 warnings)"),
    ],
)
def test_a_linter_counts_what_it_found_whatever_the_exit_code_says(output: str, words: str) -> None:
    assert runs.found_errors(output)
    assert runs.last_words(output, failed=True) == words
    assert not runs.found_errors("Success: no issues found in 3 source files")
    assert not runs.found_errors("Found 0 errors.")


def test_what_claude_code_puts_around_a_long_output_is_no_word_of_it() -> None:
    """Recorded of 2.1.330: of an output of 30 kB it gives the first two, and the name of a file that has the rest."""
    output = "Output too large (40KB).\n\nPreview (first 2KB):\n1 minutes are 60\n...\n"
    assert runs.last_words(f"<persisted-output>\n{output}</persisted-output>", failed=False) == "1 minutes are 60"

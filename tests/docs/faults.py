"""The faults that the scripts of this directory find."""

import sys

problems = []


def problem(where, what):
    problems.append(f"{where}: {what}")


def noticed(what, run):
    """Whether run() finds a fault that says `what`; its faults are taken back."""
    before = len(problems)
    run()
    news = problems[before:]
    del problems[before:]
    if not any(what in line for line in news):
        problem("the test of the test", f"does not notice {what!r}")


def report():
    """Prints each fault once, and ends the program."""
    for line in dict.fromkeys(problems):
        print(line, file=sys.stderr)
    sys.exit(1 if problems else 0)

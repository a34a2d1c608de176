"""Exit codes: what a scheduler or a shell may conclude from a command, without reading its words."""

from __future__ import annotations

from enum import IntEnum

import click


class ExitCode(IntEnum):
    """What a command's exit code means. When several apply, the largest is given.

    0   Fine: it was done, and nothing stands in the way of using the numbers.
    1   It was done, and a P1 alert is open: use the numbers with care.
    2   It was done, and a P0 alert is open or the day is quarantined: do not use the numbers.
    3   Not possible: settings, contract, files or broker are not as they must be; standard error says what.
    64  Wrong usage: the command line itself (EX_USAGE of sysexits.h).

    `rollup` uses all of them, every other command 0, 3 and 64.
    """

    FINE = 0
    OPEN_P1 = 1
    OPEN_P0 = 2
    NOT_POSSIBLE = 3
    USAGE = 64


class NotPossibleError(click.ClickException):
    """Ends a command with exit code 3 and one sentence on standard error."""

    exit_code = ExitCode.NOT_POSSIBLE

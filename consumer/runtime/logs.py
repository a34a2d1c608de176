"""What is worth telling, one line each: JSON for machines, aligned text for a person at a terminal.

Values come out of events, brokers and exceptions, so they are hostile: no line holds a control character, none can
be forged from inside a value, and none grows without bound. Nothing global is configured: the logger is handed on.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
import threading
import traceback
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Literal, TextIO

import structlog
from structlog.dev import Column, ConsoleRenderer, KeyValueColumnFormatter, LogLevelColumnFormatter
from structlog.typing import FilteringBoundLogger

from consumer.core.instant import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from structlog.typing import EventDict, Processor

    from consumer.runtime.clock import Clock

Logger = FilteringBoundLogger
"""What `configure` returns and everyone else is handed."""

Format = Literal["auto", "json", "pretty"]
Level = Literal["debug", "info", "warning", "error", "critical"]

LONGEST_VALUE = 500
"""Characters; a longer value is cut and ends in an ellipsis."""

MOST_ITEMS = 30
"""Items of a list or an object in a value; the rest is only counted."""

MOST_FRAMES = 5
"""Innermost calls that an exception names: enough to find the line, short enough for one field."""

SAFE_INTEGER_BITS = 53
"""JSON readers keep larger integers only approximately (RFC 8259, section 6): those are written as text."""

_BARE = re.compile(r"[\w.:/@%+#\[\]-]+")


def configure(
    *,
    clock: Clock,
    format: Format = "auto",  # noqa: A002 - the setting's own name
    level: Level = "info",
    stream: TextIO | None = None,
    is_terminal: bool | None = None,
) -> Logger:
    """The logger of the process. `auto` is `pretty` on a terminal and `json` elsewhere; `stream` is stderr unless
    given. Colours only on a terminal, and not where NO_COLOR is set (https://no-color.org)."""
    stream = sys.stderr if stream is None else stream
    is_terminal = stream.isatty() if is_terminal is None else is_terminal
    pretty = is_terminal if format == "auto" else format == "pretty"
    colours = is_terminal and not os.environ.get("NO_COLOR")
    render: Processor = _pretty(colours=colours) if pretty else structlog.processors.JSONRenderer()
    logger: Logger = structlog.wrap_logger(
        _Lines(stream),
        processors=[_Safe(clock), render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    ).bind()
    return logger


def visible(text: str) -> str:
    r"""The text on one line, at most 500 characters, with everything that does not print escaped.

    >>> visible("a\x1b[31mb\nc\u202ed")
    'a\\x1b[31mb\\nc\\u202ed'
    """
    cut = text[: LONGEST_VALUE + 1]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
    return cut if len(cut) <= LONGEST_VALUE else cut[: LONGEST_VALUE - 1] + "…"


def in_short(error: BaseException) -> str:
    """An exception in one field: its type and text, the innermost calls, its cause; no values of variables."""
    calls = where(traceback.walk_tb(error.__traceback__))
    parts = [f"{type(error).__name__}: {_text(error)}", f"({calls})" if calls else ""]
    if error.__cause__ is not None:
        parts.append(f"because of {type(error.__cause__).__name__}: {_text(error.__cause__)}")
    return " ".join(part for part in parts if part)


def where(calls: Iterable[tuple[FrameType, int]]) -> str:
    """The innermost calls, innermost first, from pairs of frame and line, outermost first (`traceback.walk_tb`)."""
    names = [f"{os.path.basename(f.f_code.co_filename)}:{n} {f.f_code.co_name}" for f, n in calls]  # noqa: PTH119 - a text, no file
    return " < ".join(reversed(names[-MOST_FRAMES:]))


class _Safe:
    """A processor: time, level and event first, an exception as one field, and only values that are safe to print."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, _: object, level: str, fields: EventDict) -> EventDict:
        error = _exception(fields.pop("exc_info", None))
        event = _value(fields.pop("event", ""))
        line = {"timestamp": rfc3339(self._clock.now_ms()), "level": level, "event": event}
        line |= {visible(name): _value(value) for name, value in fields.items() if name not in line}
        return line if error is None else line | {"error": _value(error)}


class _Lines:
    """Writes whole lines. A stream that is gone or full must not stop the numbers, so its errors are dropped."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()  # re-entrant: a signal handler may log in the middle of a line

    def msg(self, line: str) -> None:
        # ValueError: the stream is closed, or its encoding lacks a character. RuntimeError: the signal handler's case.
        with self._lock, suppress(OSError, ValueError, RuntimeError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


def _exception(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    if isinstance(exc_info, BaseException):
        return exc_info
    return sys.exc_info()[1] if exc_info else None


def _value(value: object, depth: int = 2) -> object:
    match value:
        case None | bool():
            return value
        case int():
            return value if value.bit_length() <= SAFE_INTEGER_BITS else visible(f"{value:#x}")
        case float():
            return value if math.isfinite(value) else str(value)
        case BaseException():
            return visible(in_short(value))
        case dict() if depth:
            items = islice(value.items(), MOST_ITEMS)
            shown = {visible(_text(name)): _value(item, depth - 1) for name, item in items}
            return shown | ({"…": _rest(len(value))} if len(value) > MOST_ITEMS else {})
        case list() | tuple() | set() | frozenset() if depth:
            first = [_value(item, depth - 1) for item in islice(value, MOST_ITEMS)]
            return first + ([_rest(len(value))] if len(value) > MOST_ITEMS else [])
        case _:
            return visible(_text(value))


def _rest(items: int) -> str:
    return f"… {items - MOST_ITEMS} more"


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value[: LONGEST_VALUE + 1].decode("utf-8", "backslashreplace")
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a value that cannot be shown must not stop what was to be told
        return f"<{type(value).__name__}>"


def _pretty(*, colours: bool) -> ConsoleRenderer:
    styles = ConsoleRenderer.get_default_column_styles(colours)
    levels = ConsoleRenderer.get_default_level_styles(colours)
    reset = styles.reset
    columns = [
        Column("timestamp", KeyValueColumnFormatter(None, styles.timestamp, reset, str)),
        Column("level", LogLevelColumnFormatter(levels, reset)),
        Column("event", KeyValueColumnFormatter(None, styles.bright, reset, str, width=30)),
        Column("", KeyValueColumnFormatter(styles.kv_key, styles.kv_value, reset, _bare_or_quoted)),
    ]
    return ConsoleRenderer(columns=columns, sort_keys=False)


def _bare_or_quoted(value: object) -> str:
    """A word as it is, anything else in quotes, so that no value can look like a further field."""
    if isinstance(value, str) and _BARE.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)

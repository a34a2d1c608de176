"""Text out of events made harmless for whoever shows it: a terminal, a Markdown or HTML page, a spreadsheet.

Transaction ids, subjects and messages are written by strangers. Whatever they hold, one value stays one line, one
cell and plain words; what had to be changed stays visible. Exact values are in `alerts.json`.
"""

from __future__ import annotations

import re
from html import escape as _entities

CUT = "…"
"""Ends a text that was longer than its limit."""

UNSHOWABLE = "�"
"""Stands for a control, format (bidi, zero-width), private, unassigned or surrogate character."""

JOINER = "\u2060"
"""Word joiner: invisible, and enough to keep mentions, issue numbers and bare addresses from becoming links."""

_MARKUP = re.compile(r"([\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_]))")
_LINE_START = re.compile(r"(?=[#\-+=])")
_NUMBERED = re.compile(r"(\d{1,9})(?=[.)](?: |\Z))", re.ASCII)
_LINKS = re.compile(r"(?i)(:(?=//)|www(?=\.)|@|#(?=\d))")
_CODE = str.maketrans({"`": "'", "|": "¦", "<": "‹", ">": "›"})
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_QUOTED = re.compile(r'[",;]')
_LOOK_AHEAD = 4


def terminal(text: str, most: int = 300) -> str:
    r"""One printable line of at most `most` characters: white space runs are one space, control, bidi and
    zero-width characters are `UNSHOWABLE`, what is too long ends in "…".

    >>> terminal("two\nlines"), terminal("\x1b[2J"), terminal("abcdef", most=4)
    ('two lines', '�[2J', 'abc…')
    """
    head = text[: most * _LOOK_AHEAD]  # a hostile text may be megabytes long
    line = " ".join(head.split())
    line = "".join(c if c.isprintable() else UNSHOWABLE for c in line)
    if len(line) <= most and len(head) == len(text):
        return line
    return line[: most - 1].rstrip() + CUT


def markdown(text: str, most: int = 300) -> str:
    r"""The text as inline Markdown that means exactly its characters: in a paragraph, a list item, a heading or a
    table cell. No emphasis, code, link, image, HTML, mention, strike-through or formula comes out of it.

    >>> markdown("*a* | <b> client_id @all")
    '\\*a\\* \\| &lt;b&gt; client_id @\u2060all'
    """
    line = _MARKUP.sub(r"\\\1", terminal(text, most).replace("&", "&amp;"))
    line = line.replace("<", "&lt;").replace(">", "&gt;")
    line = _LINKS.sub(rf"\1{JOINER}", line)
    line = _NUMBERED.sub(r"\1\\", line, count=1) if _NUMBERED.match(line) else line
    return "\\" + line if _LINE_START.match(line) else line


def markdown_code(text: str, most: int = 80) -> str:
    """The text as a code span, for names and ids. What would end the span, or the table cell it stands in, or pass
    for a tag or a chat's control sequence, is shown by a look-alike: ' ¦ ‹ ›.

    >>> markdown_code("ORD-1"), markdown_code("a`b|<!channel>"), markdown_code("")
    ('`ORD-1`', "`a'b¦‹!channel›`", '`(empty)`')
    """
    return f"`{terminal(text, most).translate(_CODE) or '(empty)'}`"


def html(text: str, most: int = 300) -> str:
    """The text for an HTML element's content or a quoted attribute.

    >>> html("<script>alert('x')</script>")
    '&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;'
    """
    return _entities(terminal(text, most), quote=True)


def csv_cell(text: str, most: int = 1000) -> str:
    """The text as one CSV cell that no spreadsheet takes for a formula, quoted where needed (RFC 4180).

    >>> csv_cell("20408.00"), csv_cell("=1+1"), csv_cell('a "b", c')
    ('20408.00', "'=1+1", '"a ""b"", c"')
    """
    cell = terminal(text, most)
    if cell.startswith(_FORMULA):
        cell = "'" + cell
    return '"' + cell.replace('"', '""') + '"' if _QUOTED.search(cell) else cell

"""Pages out of templates. Every value that a template shows is cleaned and escaped here, wherever it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from reports.render.escape import terminal
from reports.render.titles import Name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.render.titles import Title

MOST = 700
"""Characters of one text; the longest messages of ours have half."""


def _shown(value: Any) -> Any:
    """One printable line, unless it is markup already, or a number."""
    if value is None:
        return ""
    if hasattr(value, "__html__") or not isinstance(value, str):
        return value
    return terminal(value, MOST) if value.strip() else value


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("reports.render"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


_PAGES = _environment()
"""Templates are code: they are read from the package, once."""


def page(template: str, values: Mapping[str, Any]) -> bytes:
    """The page's bytes, UTF-8."""
    return _PAGES.get_template(template).render(values).encode("utf-8", "replace")


def phrase(parts: Title, *, begins: bool = False) -> Markup:
    """Words of ours as they are, names as code. Where it `begins` a line, its first word of ours has a capital."""
    if begins and parts and not isinstance(parts[0], Name):
        parts = (parts[0][:1].upper() + parts[0][1:], *parts[1:])
    return Markup(" ").join(
        Markup("<code>{}</code>").format(terminal(part, 80) or "(empty)")
        if isinstance(part, Name)
        else escape(terminal(part, MOST))
        for part in parts
    )


def prose(text: str) -> Markup:
    """A sentence of ours; what stands in `backticks` is code.

    >>> print(prose("Try `sluice run` & see."))
    Try <code>sluice run</code> &amp; see.
    """
    pieces = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if at % 2 else escape(piece)
        for at, piece in enumerate(pieces)
    )

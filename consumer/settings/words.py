"""The words in which settings speak of themselves: what a value must be, how it is shown, what stays secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import annotated_types

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

MASK = "********"
"""What stands in place of a secret, whatever its length."""

_SECRET = re.compile(
    r"password|passphrase|secret|credential|token|jaas|oauthbearer|assertion|key(?!ed$)|pem|certificate"
)
_USERINFO = re.compile(r"(\w://)[^/@\s]+@")
_MOST_SHOWN = 80


SWITCH = "true or false"
LIST = "list of texts"
"""The type of a setting with several values; in a variable they stand with commas between."""


class Secret:
    """Marks a setting whose value is never shown, or of an address only where it leads."""


class SettingsError(Exception):
    """The settings cannot be used. Its text is one sentence: where, what is wrong, and what to do about it."""


def is_secret(name: str) -> bool:
    """Whether the value of a librdkafka property is never shown. Generous: a path to a key counts as well.

    >>> is_secret("sasl.password"), is_secret("ssl.key.pem"), is_secret("bootstrap.servers"), is_secret("keyed")
    (True, True, False, False)
    """
    return _SECRET.search(name.lower()) is not None


def masked(name: str, value: str) -> str:
    """A librdkafka property's value as it may be shown: secrets and passwords inside URLs are masked."""
    return MASK if value and is_secret(name) else _USERINFO.sub(rf"\g<1>{MASK}@", value)


def has_secret(field: FieldInfo) -> bool:
    """Whether a setting's definition says that its value is secret."""
    return any(isinstance(one, Secret) for one in field.metadata)


def masked_secret(value: str) -> str:
    """A secret as it may be shown: nothing of it, but of a web address the host.

    >>> masked_secret("https://hooks.slack.com/services/T0/B0/x"), masked_secret("tgram://token/1"), masked_secret("")
    ('https://hooks.slack.com/********', 'tgram://********', '')
    """
    scheme, separator, rest = value.partition("://")
    if not separator or not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]{0,30}", scheme, re.ASCII):
        return MASK if value else ""
    host = re.split(r"[/?#]", rest)[0].rpartition("@")[2] if scheme in ("http", "https") else ""
    return f"{scheme}://{host}/{MASK}" if host else f"{scheme}://{MASK}"


def quoted(text: str) -> str:
    r"""Text in double quotes as TOML writes it, safe for any terminal: controls and everything odd are escaped.

    >>> print(quoted('a"b' + chr(27)), quoted("Zürich"))
    "a\"b\u001b" "Zürich"
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else _escape(c) for c in escaped) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - the last of \u


def shown(value: object) -> str:
    """A value as an error names it: as TOML writes it, cut to 80 characters; tables and lists by their kind alone."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value if len(value) <= _MOST_SHOWN else value[:_MOST_SHOWN] + "…")
        case int() if value.bit_length() > 200:  # noqa: PLR2004 - digits of a longer one would flood the sentence
            return "a number beyond any machine's"
        case int() | float():
            return str(value)
        case dict():
            return "a table"
        case list():
            return "a list"
        case _:
            return "a date or time"


def written(value: Any) -> str:
    """A setting's value as TOML writes it, whole."""
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return quoted(value) if isinstance(value, str) else shown(value)


def kind(field: FieldInfo) -> str:
    """What type a setting has, in words: `text`, `whole number`, `number`, `true or false`, or its choices.

    The choices of a `Literal` are written as `"json" or "pretty"`.
    """
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        *most, last = map(written, get_args(annotation))
        return f"{', '.join(most)} or {last}"
    if get_origin(annotation) is list:
        return LIST
    return {bool: SWITCH, int: "whole number", float: "number"}.get(annotation, "text")  # type: ignore[arg-type]  # any type may ask


def wanted(field: FieldInfo) -> str:
    """What a setting's value must be, as it follows the words "must be"."""
    limits = {type(rule): rule for rule in field.metadata}
    low, high = limits.get(annotated_types.Ge), limits.get(annotated_types.Le)
    between = f" from {low.ge} to {high.le}" if low and high else ""
    match kind(field):
        case "text":
            return "text in quotes"
        case "list of texts":
            return 'a list of texts in quotes, such as ["a", "b"]'
        case "whole number" | "number" as number:
            return f"a {number}{between}"
        case choices:
            return choices

"""What may be shown of an event to somebody who did not ask for personal data: shapes instead of values.

A value is shown when the contract knows its field and neither marks it as personal nor calls it like something personal
(an e-mail address, a client's id); within a shown text, addresses and the values of URLs' queries are left out. What the
contract does not know is not shown at all: nobody has said what is in it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from consumer.core.contract import PurchaseRole, Role
from consumer.core.kinds import kind_of
from reports.render.json_tree import JsonText, Number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumer.core.contract import Contract, Field

_PART = r"[^\s@<>‹›\"'(),;:/?&=]"
_EMAIL = re.compile(rf"{_PART}{{1,64}}(?:@|%40){_PART}{{1,255}}\.{_PART}{{2,63}}", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?<![\w./])\d{1,3}(?:\.\d{1,3}){3}\b|(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){3,7}\b", re.IGNORECASE
)
_URL = re.compile(r"[a-z][a-z0-9+.\-]{0,30}://[^\s\"'<>]+", re.IGNORECASE)
_TOKEN = re.compile(r"(?<=/)(?=[^/]*\d)[\w\-~%.]{20,}(?=/|$)")
"""A piece of a path that opens something for whoever has it, such as a checkout: long, with digits."""
_PARAMETER = re.compile(r"[\w.\-\[\]]{1,40}")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_PERSONAL = frozenset(
    re.findall(
        r"\w+",
        "email mail phone tel telephone mobile fax address street zip zipcode postcode postal ip ipv4 ipv6 birth birthday "
        "dob ssn password passwd pwd token secret cookie auth authorization iban card cvv cvc surname firstname lastname "
        "fullname username nickname login userid clientid customerid visitorid deviceid sessionid lat lon lng latitude "
        "longitude",
    )
)
_OF_PEOPLE = frozenset(
    re.findall(
        r"\w+",
        "user client customer visitor device session account person member profile anonymous subscriber contact",
    )
)
_WHOSE_NAME = frozenset({"first", "last", "full", "user", "family", "given", "middle", "maiden", "customer"})

LEFT_OUT = "…"

MOST_TEXT = 4_000
"""Characters of one text that are looked through, and so shown: a hostile one may be megabytes long."""


def masked(tree: Any, contract: Contract) -> Any:
    """An event (`json_tree`) without personal data."""
    return _object(tree, contract.fields, contract) if isinstance(tree, dict) else _unknown(tree)


def text(value: str) -> str:
    """A text that may be shown but for what is personal in it.

    >>> text("sent by ann@shop.example from 10.0.0.1 to https://ann:pw@a.example/b?utm_source=x&q=ann#top")
    'sent by ‹e-mail› from ‹address› to https://‹user›@a.example/b?utm_source=…&q=…#…'
    """
    if len(value) > MOST_TEXT:
        words = value[:MOST_TEXT].split()[:-1]  # the last one may be cut in two
        return f"{text(' '.join(words))} {LEFT_OUT}" if words else shape(value)
    value = _URL.sub(lambda found: url(found[0]), value)
    return _ADDRESS.sub("‹address›", _EMAIL.sub("‹e-mail›", value))


def url(value: str) -> str:
    """A URL with the names of its query's parameters, but without their values, and without long ids in its path.

    >>> url("/pay/Z2NwLXVzLXdlc3QxOjAx/now?mail=ann%40shop.example&ann&step=2")
    '/pay/…/now?mail=…&…&step=…'
    """
    if len(value) > MOST_TEXT:
        return shape(value)
    base, hash_mark, _ = value.partition("#")
    base, question, query = base.partition("?")
    base = re.sub(r"//[^/]*@", "//‹user›@", base)
    names = [pair.partition("=") for pair in query.split("&")] if question else []
    shown = [f"{name}={LEFT_OUT}" if mark and _is_name(name) else LEFT_OUT for name, mark, _ in names]
    base = _EMAIL.sub("‹e-mail›", _TOKEN.sub(LEFT_OUT, base))
    return base + question + "&".join(shown) + (f"#{LEFT_OUT}" if hash_mark else "")


def shape(value: Any) -> str:
    """What stands for a value that is not shown.

    >>> shape("6f9619ff-8b86-d011-b42d-00c04fc964ff"), shape(b"abc"), shape(Number("12"))
    ('‹uuid, 36 characters›', '‹3 bytes›', '‹number›')
    """
    match value:
        case Number():
            return "‹number›"
        case str():
            return f"‹{kind_of(value)}, {_count(len(value), 'character')}›"
        case bytes():
            return f"‹{_count(len(value), 'byte')}›"
    return "‹masked›"


def skeleton(value: str) -> str:
    """A text of which only the form is left: letters are x, digits 0.

    >>> skeleton('{"name": "Ann", 7')
    '{"xxxx": "xxx", 0'
    """
    return "".join("0" if c.isdigit() else "x" if c.isalnum() or not c.isascii() else c for c in value)


def is_personal_name(name: str) -> bool:
    """Whether a field of this name holds something personal.

    >>> [is_personal_name(n) for n in ("user_email", "clientId", "lastName", "item_name", "user_agent", "transaction_id")]
    [True, True, True, False, False, False]
    """
    words = [word.lower() for word in _WORDS.findall(name)]
    if not _PERSONAL.isdisjoint(words):
        return True
    return any(
        (second == "id" and first in _OF_PEOPLE) or (second == "name" and first in _WHOSE_NAME)
        for first, second in pairwise(words)
    )


def _object(value: dict[str, Any], fields: Iterable[Field], contract: Contract) -> dict[str, Any]:
    known = {name: field for field in fields for name in (field.name, *field.aliases)}
    return {name: _member(name, inner, known.get(name), contract) for name, inner in value.items()}


def _member(name: str, value: Any, field: Field | None, contract: Contract) -> Any:
    if (field is not None and field.personal) or is_personal_name(name):
        return _hidden(value)
    if field is None:
        return _unknown(value)
    if field.role in (Role.PAGE_URL, Role.REFERRER) and type(value) is str:
        return url(value)
    match value:
        case JsonText(inner):
            return JsonText(_member(name, inner, field, contract))
        case dict() if field.role is Role.EVENT_DATA:
            return _object(value, contract.purchase_fields, contract)
        case list() if field.name == contract.purchase_names.get(PurchaseRole.ITEMS):
            return [
                _object(it, contract.item_fields, contract) if isinstance(it, dict) else _unknown(it)
                for it in value
            ]
        case dict() | list():
            return _unknown(value)
        case str() if type(value) is str:
            return text(value)
    return value


def _unknown(value: Any) -> Any:
    match value:
        case JsonText(inner):
            return JsonText(_unknown(inner))
        case dict():
            return {
                name: _hidden(it) if is_personal_name(name) else _unknown(it) for name, it in value.items()
            }
        case list():
            return [_unknown(it) for it in value]
        case str():
            return shape(value)
    return value


def _hidden(value: Any) -> Any:
    """The value's form: nothing but nulls and truth values stays."""
    return value if value is None or isinstance(value, bool) else shape(value)


def _is_name(name: str) -> bool:
    return bool(_PARAMETER.fullmatch(name)) and not _EMAIL.fullmatch(name)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"

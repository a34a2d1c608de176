"""Whether a document is one of the Open Data Contract Standard, version 3, as its own models want it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from open_data_contract_standard.model import OpenDataContractStandard
from pydantic import ValidationError

from consumer.contract_file.fields import KNOWN, keys_of
from consumer.contract_file.located import quoted

if TYPE_CHECKING:
    from consumer.contract_file.located import Located

_VERSION = re.compile(r"v3\.\d+\.\d+", re.ASCII)


def check_document(document: Located) -> None:
    """It is a document of the standard, of a version that is known here."""
    entries = document.mapping("a contract")
    for key in ("kind", "apiVersion", "id", "version", "schema"):
        if key not in entries:
            hint = {"kind": "kind: DataContract", "apiVersion": "apiVersion: v3.1.0"}.get(key, f"{key}: ...")
            raise document.error(
                f'this is no Open Data Contract Standard document, since it has no {key}; add "{hint}"'
            )
    document.only(keys_of(OpenDataContractStandard), "a contract", KNOWN["contract"])
    if (kind := entries["kind"].text("kind")) != "DataContract":
        raise entries["kind"].error(f"kind must be DataContract, not {quoted(kind)}")
    if not _VERSION.fullmatch(version := entries["apiVersion"].text("apiVersion")):
        raise entries["apiVersion"].error(
            f"apiVersion must be a version 3 of the standard such as v3.1.0, not {quoted(version)}"
        )


_WORDS = {
    "string_type": "must be text",
    "list_type": 'must be a list, lines that begin with "- "',
    "dict_type": 'must be a mapping, lines such as "name: value"',
    "model_type": 'must be a mapping, lines such as "name: value"',
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "extra_forbidden": "is unknown to the standard; remove it",
}


def check_models(document: Located) -> None:
    """Everything else in the document has the types that the standard's own models want."""
    try:
        OpenDataContractStandard.model_validate(document.plain())
    except ValidationError as raised:
        found = [(_place(document, error["loc"]), error) for error in raised.errors(include_url=False)]
        (at, path), error = max(found, key=lambda one: len(one[0][1]))  # the one that leads furthest in
        words = _WORDS.get(
            error["type"], "is not what the Open Data Contract Standard allows there; correct it"
        )
        raise at.error(f"{'.'.join(path)} {words}") from None


def _place(document: Located, steps: tuple[int | str, ...]) -> tuple[Located, list[str]]:
    """Where pydantic's path leads in the document, and the names on the way.

    Where the standard allows one of several models, the model's name is a step that the document does not have.
    """
    at, path = document, []
    for step in steps:
        inner: Any = at.value
        there = range(len(inner)) if isinstance(inner, list) else inner if isinstance(inner, dict) else ()
        if step in there:
            at = inner[step]
            path.append(str(step))
    return at, path

"""YAML as values that know their line, read so that no file can hang or surprise the reader.

Aliases, tags and duplicate keys are refused: a contract needs none of them, and each hides what a person reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, cast

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MOST_BYTES = 262_144
"""Of a contract; two thousand fields fit, and the slow parser still takes only seconds."""

_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq")
)
_MOST_DEPTH = 50
_MOST_SHOWN = 60
_MOST_LISTED = 12


class ContractError(Exception):
    """The contract cannot be used. Its text is one sentence: file, line, what is wrong, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Located:
    """A YAML value: a scalar, a list of `Located` or a dict of them by name; and the line on which it begins."""

    value: Any
    file: str
    line: int

    def error(self, words: str) -> ContractError:
        """The error that names this place; the words are a clause without its full stop."""
        return ContractError(f"{self.file}, line {self.line}: {words}.")

    def mapping(self, what: str) -> dict[str, Located]:
        """The value as a mapping. Raises `ContractError`, in which `what` names it."""
        if isinstance(self.value, dict):
            return self.value
        raise self.error(f'{what} must be a mapping, lines such as "name: value"')

    def list(self, what: str) -> list[Located]:
        """The value as a list. Raises `ContractError`, in which `what` names it."""
        if isinstance(self.value, list):
            return self.value
        raise self.error(f'{what} must be a list, lines that begin with "- "')

    def text(self, what: str) -> str:
        """The value as text that is not blank. Raises `ContractError`, in which `what` names it."""
        if not isinstance(self.value, str):
            hint = "" if isinstance(self.value, dict | list | None) else "; put it in quotes"
            raise self.error(f"{what} must be text{hint}")
        if not self.value.strip():
            raise self.error(f"{what} is empty; give it a text")
        return self.value

    def flag(self, what: str) -> bool:
        """The value as true or false. Raises `ContractError`, in which `what` names it."""
        if isinstance(self.value, bool):
            return self.value
        raise self.error(f"{what} must be true or false")

    def only(self, known: Iterable[str], what: str, custom: Iterable[str] = ()) -> None:
        """Raises `ContractError` when the mapping has a key that is not known; `custom` are the custom properties
        that there can be at this place."""
        names = list(known)
        for key, inner in self.mapping(what).items():
            if key in custom:
                words = f'"- property: {key}" and below it "value: ..."'
                raise inner.error(f"{key} is a custom property; write it under customProperties as {words}")
            if key not in names:
                raise inner.error(f"{what} has the unknown key {quoted(key)}; {nearest(key, names)}")

    def plain(self) -> Any:
        """The value and everything in it without the lines."""
        if isinstance(self.value, dict):
            return {key: inner.plain() for key, inner in self.value.items()}
        if isinstance(self.value, list):
            return [inner.plain() for inner in self.value]
        return self.value


def quoted(text: str) -> str:
    """Somebody else's text as a sentence may hold it: in quotes, printable, at most 60 characters."""
    short = text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…"
    return '"' + "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in short) + '"'


def nearest(name: str, names: list[str]) -> str:
    """What to do about an unknown name: use the most similar one, or one of them all.

    >>> nearest("P0", ["P0_BLOCKER", "P1_HIGH"]), nearest("x", ["a", "b"])
    ('perhaps P0_BLOCKER is meant', 'remove it, or use one of a, b')
    """
    longer = [one for one in names if name and one.lower().startswith(name.lower())]
    if (
        match := longer[:1]
        or get_close_matches(name, names, n=1)
        or get_close_matches(name.lower(), names, n=1)
    ):
        return f"perhaps {match[0]} is meant"
    return f"remove it, or use one of {', '.join(names)}" if len(names) <= _MOST_LISTED else "remove it"


def read(path: Path) -> Located:
    """The file's only YAML document. Raises `ContractError`."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise ContractError(
            f"{path} cannot be read ({reason}); name another file under [contract] path."
        ) from None
    return parse(raw, str(path))


def parse(raw: bytes, file: str) -> Located:
    """The only YAML document in the bytes; `file` is its name in errors. Raises `ContractError`."""
    if len(raw) > _MOST_BYTES:
        raise ContractError(
            f"{file} has more than 256 KiB and is no contract; name another file under [contract] path."
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ContractError(
            f"{file}, line {line}: this is not UTF-8; save the file with that encoding."
        ) from None
    try:
        return _Reader(text, file).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if error.context_mark and "end of stream" in (error.problem or ""):
            mark = error.context_mark  # where what has no end begins
        line = mark.line + 1 if mark else 1
        why = ", ".join(words for words in (error.context, error.problem) if words)
        raise ContractError(
            f"{file}, line {line}: this is not YAML ({why}); correct this line or the one above."
        ) from None
    except yaml.YAMLError as error:  # a character that YAML forbids, which knows its place in the text alone
        line = text[: getattr(error, "position", 0)].count("\n") + 1
        raise ContractError(f"{file}, line {line}: this holds a control character; remove it.") from None


class _Reader:
    """Turns parsed nodes into located values."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._loader = yaml.SafeLoader("")

    def document(self) -> Located:
        self._refuse_traps()
        node = yaml.compose(self._text, Loader=yaml.SafeLoader)
        if node is None:
            raise ContractError(f"{self._file} is empty; it must hold a contract.")
        return self._located(node, node.start_mark.line)

    def _refuse_traps(self) -> None:
        """Aliases can multiply without end, and the parser's time grows with the square of the depth."""
        depth = 0
        for event in yaml.parse(self._text, Loader=yaml.SafeLoader):
            mark = event.start_mark
            at = Located(None, self._file, mark.line + 1 if mark else 1)
            if getattr(event, "anchor", None) is not None:
                raise at.error("anchors (&) and aliases (*) are not read here; write the value out")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MOST_DEPTH:
                raise at.error(f"this is nested more than {_MOST_DEPTH} levels deep; remove what is too much")

    def _located(self, node: yaml.Node, line: int) -> Located:
        at = Located(None, self._file, line + 1)
        if node.tag not in _TAGS:
            raise at.error(f"the tag {quoted(node.tag)} is not read here; remove it")
        if isinstance(node, yaml.MappingNode):
            return Located(self._mapping(node), self._file, line + 1)
        if isinstance(node, yaml.SequenceNode):
            items = [self._located(item, item.start_mark.line) for item in node.value]
            return Located(items, self._file, line + 1)
        try:
            return Located(self._loader.construct_object(node), self._file, line + 1)
        except (ValueError, OverflowError):
            raise at.error(
                f"{quoted(node.value)} is no number or date; put it in quotes if it is text"
            ) from None

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Located]:
        found: dict[str, Located] = {}
        for key, inner in node.value:
            at = Located(None, self._file, key.start_mark.line + 1)
            if not isinstance(key, yaml.ScalarNode):
                raise at.error("a name before a colon must be text")
            name = cast("str", key.value)
            if name in found:
                raise at.error(f"{quoted(name)} is there twice; leave it once")
            found[name] = self._located(inner, key.start_mark.line)
        return found

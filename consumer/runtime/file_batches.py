"""Files in batches, as gate and watch take them: the records, and apart from them what could not be read."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from consumer.core.rejection import Reason
from consumer.runtime.files import Unreadable, names_of_fields, read_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from consumer.core.contract import Contract
    from consumer.core.record import Record
    from consumer.core.rejection import Rejection


class FileBatch(NamedTuple):
    """Some items of the files, in their order among their own kind."""

    records: list[Record]
    unreadable: list[tuple[Record, Rejection]]

    @property
    def size(self) -> int:
        """How many items it holds."""
        return len(self.records) + len(self.unreadable)

    @property
    def cut_short(self) -> list[str]:
        """The files that end too early."""
        return [record.topic() for record, why in self.unreadable if why.reason is Reason.CUT_SHORT]


def read_batches(
    files: Sequence[Path], contract: Contract, size: int, on_bytes: Callable[[int], object]
) -> Iterator[FileBatch]:
    """The files in the order given, `size` items at a time. Raises FileError for one that cannot be read, or is no file
    of events."""
    items = read_records(files, on_bytes=on_bytes, fields=names_of_fields(contract))
    while some := list(islice(items, size)):
        batch = FileBatch([], [])
        for item in some:
            if isinstance(item, Unreadable):
                batch.unreadable.append(item)
            else:
                batch.records.append(item)
        yield batch

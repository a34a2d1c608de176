"""Everything that is tried, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz.event_files import Csv, Ndjson
from tests.fuzz.events import Decode, Whole
from tests.fuzz.topics import Commands, Delivered, FactsRecord, Journal
from tests.fuzz.written_files import ContractFile, SettingsFile

if TYPE_CHECKING:
    from tests.fuzz.target import Target

TARGETS: dict[str, type[Target]] = {
    kind.name: kind
    for kind in (
        Decode, Whole, ContractFile, SettingsFile, Csv, Ndjson, Journal, FactsRecord, Commands, Delivered,
    )
}  # fmt: skip

"""`sluice dlq requeue`: dead letters repaired and put back into the input, each once."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from consumer.cli.config_option import config_option, contract_of, settings_of
from consumer.cli.dlq_options import dead_letters_of, filters, reading_of, wanted_of
from consumer.cli.dlq_repairs import repair_options, repairs_of
from consumer.cli.dlq_report import Report
from consumer.cli.exits import NotPossibleError
from consumer.cli.on_record import user
from consumer.core.dead_letters import Outcome
from consumer.core.instant import rfc3339
from consumer.core.rejection import size
from consumer.core.timestamps import MINUTE_MS
from consumer.runtime.client_log import silent
from consumer.runtime.clock import SystemClock
from consumer.runtime.kafka.dead_letters import read_to
from consumer.runtime.kafka.delivered_topics import TailError
from consumer.runtime.kafka.gates import Gates
from consumer.runtime.kafka.requeue import RequeueError, Requeuer
from consumer.runtime.options import keyer_options, zone_of
from consumer.tasks.requeue import Candidate, Keying, Refused, judge, on_record, prepare, time_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumer.core.contract import Contract
    from consumer.core.dead_letter_list import Wanted
    from consumer.core.dead_letters import Letter
    from consumer.core.record import Output
    from consumer.core.repairs import Repair
    from consumer.core.requeue import Place
    from consumer.runtime.kafka.dead_letters import DeadLetters
    from consumer.settings import Settings

AT_ONCE = 500
"""Dead letters that are put back in one transaction: while it is open, the gate waits at their place in the input."""

CLOCKS_MS = 10 * MINUTE_MS
"""How far the clocks of this machine and of the gates' may be apart."""

WAIT_SECONDS = 20.0
LOOK_SECONDS = 0.5


@dataclass(slots=True)
class Order:
    """What was ordered: which dead letters (by name, or by filters), the repairs, and by whom."""

    names: frozenset[str]
    wanted: Wanted
    repairs: list[Repair]
    by: str
    force: bool


@dataclass(slots=True)
class Sent:
    """Events that were put back: how often each was by now, and how far their partitions must be read."""

    attempts: dict[Place, int] = field(default_factory=dict)
    ends: dict[tuple[str, int], int] = field(default_factory=dict)
    since_ms: int = 0


@click.command("requeue")
@click.argument("letters", nargs=-1, metavar="[LETTER]...")
@filters
@click.option(
    "--all", "everything", is_flag=True, help="All dead letters, where neither LETTER nor a filter is given."
)
@repair_options
@click.option(
    "--repairs",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Repairs from a TOML file of [[repair]] tables; they are done before the options'.",
)
@click.option(
    "--dry-run", is_flag=True, help="Change nothing: say how many would pass now, and why others would not."
)
@click.option("--force", is_flag=True, help="Put back what would be rejected again, too.")
@click.option("--by", default=user, show_default="your user name", help="Who does so; it goes on record.")
@click.option("--json", "as_json", is_flag=True, help="Tell as one JSON object.")
@config_option
def requeue(
    letters: tuple[str, ...],
    everything: bool,  # noqa: FBT001 - click's flag
    file: Path | None,
    dry_run: bool,  # noqa: FBT001 - as above
    force: bool,  # noqa: FBT001 - as above
    by: str,
    as_json: bool,  # noqa: FBT001 - as above
    config: Path | None,
    **options: Any,
) -> None:
    """Repair dead letters and put them back into the input, each once however often this is called.

    Choose them by LETTER (partition/offset) or by filters. Each goes back to its partition with its key, its headers and
    its origin; only what would pass now goes (--force for the rest). An invalid purchase counts as an event of its visit
    already: only its data can be repaired. Repairs are done in this order: --repairs, --rename, --drop, --set, --cast.

    \b
    Examples:
      sluice dlq requeue --reason purchase_revenue --cast event_data.revenue=number --dry-run
      sluice dlq requeue --reason event_name_missing --rename eventName=event_name
      sluice dlq requeue 3/42 --set event_data.transaction_id=ORD-1042
    """  # noqa: D301 - the backspace is click's mark for a paragraph that is not to be wrapped
    order = Order(frozenset(letters), wanted_of(options), repairs_of(options, file), by[:100], force)
    if not (order.names or everything) and order.wanted.is_everything:
        raise click.UsageError("say which: name a LETTER (partition/offset), filters, or --all")
    settings = settings_of(config)
    report = Report(dry_run)
    requeuer = None
    try:
        if not dry_run:
            requeuer = Requeuer(settings, silent())
        sent = Run(settings, contract_of(settings), order, report).go(requeuer)
        if sent.attempts:
            _wait(settings, sent, report)
    except (TailError, RequeueError) as error:
        raise NotPossibleError(f"{error}{_so_far(report)}") from None
    finally:
        if requeuer is not None:
            requeuer.close()
    click.echo(msgspec.json.encode(report.as_json()) if as_json else "\n".join(report.lines()))


def _so_far(report: Report) -> str:
    return f" ({report.put_back} were put back before that)" if report.put_back else ""


class Run:
    """One pass over the dead letters: choose, repair, judge, and where there is a requeuer put back."""

    def __init__(self, settings: Settings, contract: Contract, order: Order, report: Report) -> None:
        self._settings = settings
        self._contract = contract
        self._order = order
        self._report = report
        self._reading = reading_of(settings, contract)
        self._zone = zone_of(settings)
        self._sent = Sent(since_ms=SystemClock().now_ms())

    def go(self, requeuer: Requeuer | None) -> Sent:
        """Raises TailError, RequeueError."""
        letters = dead_letters_of(
            self._settings
        )  # only now: whoever put back before is fenced, and told of here
        letters.learn()
        gates = Gates(self._settings, self._contract, version("sluice"), silent())
        most = letters.most_event_bytes()
        chosen = self._chosen(letters)
        while some := list(islice(chosen, AT_ONCE)):
            candidates = self._prepared(some, most)
            there = {
                c.letter.place.partition
                for c in candidates
                if c.letter.place.partition < letters.input_partitions
            }
            now = SystemClock().now_ms()
            topic = self._settings.topics.dead_letters
            go: list[Candidate] = []
            keyed = gates.keyed_partitions()
            keying = Keying(keyer_options(self._settings, self._contract), keyed) if keyed else None
            known = gates.of(range(keyed) if keyed else there)
            for candidate, reason, _ in judge(known, candidates, now, topic, there, keying):
                if reason:
                    self._report.fails[reason] += 1
                else:
                    self._report.passes[self._day_of(candidate)] += 1
                if not reason or (self._order.force and candidate.letter.place.partition in there):
                    go.append(candidate)
            if requeuer is not None and go:
                self._put_back(requeuer, letters, go)
        return self._sent

    def _chosen(self, letters: DeadLetters) -> Iterator[Letter]:
        """The dead letters that are wanted and open; the others are noted."""
        order = self._order
        for name, letter in letters.all():
            if (order.names and name not in order.names) or not order.wanted.has(letter, self._reading):
                continue
            outcome = letters.history.outcome(letter)
            if outcome is Outcome.OPEN:
                yield letter
            else:
                self._report.skipped[outcome] += 1

    def _prepared(self, letters: list[Letter], most_bytes: int) -> list[Candidate]:
        found = []
        for letter in letters:
            made = prepare(letter, self._order.repairs, self._contract, self._settings.topics.input)
            if isinstance(made, Candidate) and size(made.output) > most_bytes:
                made = Refused(letter, "it is larger than the input topic takes")
            if isinstance(made, Refused):
                self._report.refused[made.why] += 1
            else:
                found.append(made)
        return found

    def _day_of(self, candidate: Candidate) -> str:
        at_ms = time_of(self._contract, candidate.value)
        return "" if at_ms is None else self._zone.day_of(at_ms // MINUTE_MS)

    def _put_back(self, requeuer: Requeuer, letters: DeadLetters, go: list[Candidate]) -> None:
        at = rfc3339(SystemClock().now_ms())

        def records(offsets: list[int]) -> list[Output]:
            return [
                on_record(
                    self._settings.topics.requeued,
                    candidate,
                    offset,
                    letters.put_back.get(candidate.letter.first),
                    self._order.by,
                    at,
                    self._order.repairs,
                )
                for candidate, offset in zip(go, offsets, strict=True)
            ]

        ends = requeuer.put_back([candidate.output for candidate in go], records)
        for candidate in go:
            self._sent.attempts[candidate.letter.first] = candidate.letter.attempts + 1
        self._sent.ends |= ends
        self._report.put_back += len(go)


def _wait(settings: Settings, sent: Sent, report: Report) -> None:
    """Waits until the gate has read what was put back, and says what became of it. Raises TailError."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not _is_read(settings, sent) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    letters = dead_letters_of(settings)
    back: dict[Place, str] = {}
    for _, letter in letters.all(sent.since_ms - CLOCKS_MS):
        if letter.attempts and sent.attempts.get(letter.first) == letter.attempts:
            back[letter.first] = letter.reason
    report.failed_again = Counter(back.values())
    for first in sent.attempts.keys() - back.keys():
        told = letters.put_back.get(first)
        if told is not None and letters.history.is_read(told):
            report.recovered += 1
        else:
            report.waiting += 1


def _is_read(settings: Settings, sent: Sent) -> bool:
    reached = read_to(settings, silent())
    return all(reached.get(where, -1) >= end for where, end in sent.ends.items())

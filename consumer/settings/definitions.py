"""Every setting: its type, limits, default and the sentence that explains it (those of the watch in `watch.py`).

The sentences are the reference: `sluice check`, `sluice.example.toml` and the README's table are made from them.
Units stand in the names. All paths are relative to the folder that Sluice is started in.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from consumer.settings import receiver_source, receiver_table, source, table, toml_file
from consumer.settings.kafka import DEFAULTS, Properties
from consumer.settings.legal import (
    distinct_topics,
    file_path,
    first_date,
    folder_path,
    group_name,
    host_name,
    instance_name,
    optional_topic,
    replicas,
    topic,
    zone_name,
)
from consumer.settings.names import Name, Named, places
from consumer.settings.receiver_source import Receivers, model_of, section_of
from consumer.settings.receiver_words import web_address
from consumer.settings.section import Section
from consumer.settings.watch import Watch
from consumer.settings.words import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_FILE = Path("sluice.toml")
"""Read when it lies in the current folder and no other file is named."""

Topic = Annotated[str, AfterValidator(topic)]


class Topics(Section):
    """The topics; all but the input are created when they are missing."""

    input: Topic = Field(
        default="events",
        description="Topic with the raw events, keyed by client id unless [input] keyed is false.",
    )
    keyed: Topic = Field(
        default="sluice.keyed",
        description="Topic that carries events to the gate by client; only where [input] keyed is false.",
    )
    dead_letters: Topic = Field(
        default="events.dlq",
        description="Topic for events that cannot be used, bytes unchanged, with the reason.",
    )
    valid: Annotated[str, AfterValidator(optional_topic)] = Field(
        default="",
        description="Topic for events that passed, bytes unchanged, such as events.valid; empty = none is written.",
    )
    facts: Topic = Field(
        default="sluice.facts", description="Topic that carries what the gate learned to the watch."
    )
    journal: Topic = Field(
        default="sluice.journal", description="Topic that keeps the state of gate and watch."
    )
    days: Topic = Field(default="sluice.days", description="Topic with the latest receipt of every day.")
    alerts: Topic = Field(default="sluice.alerts", description="Topic with the latest state of every alert.")
    notices: Topic = Field(
        default="sluice.notices", description="Topic that keeps what each receiver was told of each alert."
    )
    requeued: Topic = Field(
        default="events.requeued",
        description="Topic that keeps which dead letters were put back, so that none is twice; "
        "`sluice dlq requeue` creates it. It belongs to the input: keep it as long.",
    )
    replication_factor: Annotated[int, AfterValidator(replicas)] = Field(
        default=-1, description="Copies of each topic that is created; -1 = the broker's default."
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        distinct_topics(
            {key: value for key, value in self.__dict__.items() if isinstance(value, str) and value}
        )
        return self


class Input(Section):
    """How the input topic is read."""

    start: Literal["earliest", "latest"] = Field(
        default="earliest",
        description="Where an input partition begins that this group has never read: "
        "its earliest event that is kept, or only what comes after the start.",
    )
    keyed: bool = Field(
        default=True,
        description="Whether all events of a client lie in one partition. false = they are brought together in "
        "[topics] keyed first, at a cost. Changing it needs a new start.",
    )


class Batch(Section):
    """How much goes into one transaction."""

    max_events: int = Field(
        default=20_000, ge=1, le=100_000, description="Most events of a batch; one batch is one transaction."
    )
    max_wait_seconds: float = Field(
        default=0.25,
        ge=0.01,
        le=60,
        description="Longest wait in seconds for a batch to fill; then it goes as it is.",
    )


class ContractFile(Section):
    """Which contract the events are checked against."""

    path: Annotated[str, AfterValidator(file_path)] = Field(
        default="",
        description="The contract, an Open Data Contract Standard YAML file; empty = the one that Sluice comes with.",
    )


class Time(Section):
    """What a day is."""

    zone: Annotated[str, AfterValidator(zone_name)] = Field(
        default="UTC",
        description="Time zone (IANA name such as Europe/Berlin) whose calendar days the numbers are for.",
    )


class Sessions(Section):
    """What a session is, and how long it can still change."""

    gap_minutes: int = Field(
        default=30,
        ge=1,
        le=1_440,
        description="A client's pause of strictly more than these minutes starts a new session.",
    )
    allowed_lateness_minutes: int = Field(
        default=60,
        ge=0,
        le=10_080,
        description="Minutes that an event may come late and still join its session; a day closes this long after its end.",
    )


class Timestamps(Section):
    """Which timestamps are believed."""

    max_ahead_hours: int = Field(
        default=24,
        ge=1,
        le=8_760,
        description="An event more than these hours ahead of its Kafka record's time is a dead letter.",
    )
    max_age_days: int = Field(
        default=400,
        ge=1,
        le=36_500,
        description="An event more than these days behind or ahead of its own stream is a dead letter.",
    )
    earliest: Annotated[str, AfterValidator(first_date)] = Field(
        default="2000-01-01",
        description="An event before this date (UTC) is a dead letter, also where the stream has no time yet: "
        "it is a clock that was never set.",
    )


class Purchases(Section):
    """How purchases are told apart."""

    memory_days: int = Field(
        default=35,
        ge=1,
        le=400,
        description="Days for which a transaction id is remembered, so that it counts once.",
    )


class Deliver(Section):
    """The daily files."""

    out: Annotated[str, AfterValidator(folder_path)] = Field(
        default="reports",
        description="Folder of daily_metrics.csv, alerts.json, report.md and report.html; created when it is missing.",
    )
    interval_seconds: float = Field(
        default=2.0, ge=0.1, le=3_600, description="Least time in seconds between two writes of the files."
    )


class Notify(Section):
    """What all receivers of alerts have in common; who they are stands below `[receivers.NAME]`."""

    grace_minutes: int = Field(
        default=120,
        ge=1,
        le=52_560_000,
        description="What turned longer ago by its events' time is no news of now: it is told only if it still stands, and "
        "with all else of that kind in one summary.",
    )


class Heartbeat(Section):
    """A sign of life for a dead man's switch: a service that calls you when the sign stays away."""

    url: Annotated[str, AfterValidator(web_address), Secret()] = Field(
        default="",
        description="Address that is asked (GET) as long as this process works and alerts can be delivered; empty = none.",
    )
    url_file: Annotated[str, AfterValidator(file_path)] = Field(
        default="", description="File that holds url."
    )
    interval_seconds: float = Field(
        default=60.0, ge=5, le=86_400, description="Time in seconds between two signs of life."
    )


class Metrics(Section):
    """The HTTP endpoints `/metrics`, `/healthz` and `/readyz`."""

    host: Annotated[str, AfterValidator(host_name)] = Field(
        default="127.0.0.1", description="Address that the endpoints listen on; 0.0.0.0 = every interface."
    )
    port: int = Field(
        default=9464,
        ge=0,
        le=65_535,
        description="Port of the endpoints; a taken one moves on to the next free one; 0 = any.",
    )


class Log(Section):
    """What the program says while it runs, on standard error."""

    format: Literal["auto", "json", "pretty"] = Field(
        default="auto",
        description="One JSON object a line, or lines for people; auto = pretty on a terminal, JSON elsewhere.",
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is logged."
    )


class Settings(Section):
    """All settings. `Settings()` is the defaults; `load_settings` reads a file and variables."""

    group: Annotated[str, AfterValidator(group_name)] = Field(
        default="sluice",
        description="Consumer group of all processes that share the work, and prefix of their transactional ids.",
    )
    instance: Annotated[str, AfterValidator(instance_name)] = Field(
        default="",
        description="Name of this process within the group where names are stable, such as a pod's; empty = a random one per start.",
    )
    kafka: Properties = Field(
        default_factory=DEFAULTS.copy,
        description="Properties of librdkafka by their own names, passed on to every Kafka client.",
        repr=False,  # it may hold passwords
    )
    topics: Topics = Topics()
    input: Input = Input()
    batch: Batch = Batch()
    contract: ContractFile = ContractFile()
    time: Time = Time()
    sessions: Sessions = Sessions()
    timestamps: Timestamps = Timestamps()
    purchases: Purchases = Purchases()
    watch: Watch = Watch()
    deliver: Deliver = Deliver()
    notify: Notify = Notify()
    receivers: Annotated[Receivers, Named()] = Field(default={}, repr=False)
    heartbeat: Heartbeat = Heartbeat()
    metrics: Metrics = Metrics()
    log: Log = Log()

    _origins: dict[Name, str] = PrivateAttr(default_factory=dict)

    def model_post_init(self, origins: dict[Name, str] | None, /) -> None:
        """Remembers where each value came from; pydantic hands over the validation's context."""
        self._origins = origins or {}

    def with_receivers(self, receivers: Receivers, origins: Mapping[Name, str]) -> Settings:
        """The same with these receivers, whose values came from there."""
        settings = self.model_copy(update={"receivers": receivers})
        settings._origins = {**self._origins, **origins}  # noqa: SLF001 - of our own kind
        return settings

    def origins_in(self, section: str) -> dict[str, str]:
        """Where the values of a section that somebody gave were given, by name."""
        return {name: origin for (of, name), origin in self._origins.items() if of == section}

    def described(self) -> list[table.Setting]:
        """Every setting with its definition, its value (secrets masked) and where the value came from."""
        found = table.rows(self, PLACES, self._origins)
        for name, receiver in self.receivers.items():
            found += table.section(section_of(name), receiver, model_of(receiver.type, name), self._origins)
        return found


PLACES = places(Settings)


def load_settings(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings from a file and `SLUICE_*` variables; variables win.

    Without a path, `sluice.toml` of the current folder is read if there is one. Raises `SettingsError`, whose text
    is one sentence with place, fault and remedy.
    """
    if path is None and not DEFAULT_FILE.exists():
        return settings_of({}, environ)
    path = path or DEFAULT_FILE
    document, lines = toml_file.read(path)
    return settings_of(document, environ, lines, str(path))


def settings_of(
    document: Mapping[str, object],
    environ: Mapping[str, str],
    lines: Mapping[tuple[str, ...], int] | None = None,
    file: str = "settings",
) -> Settings:
    """The settings out of an already parsed document and variables. Raises `SettingsError`."""
    lines = lines or {}
    receivers, origins = receiver_source.receivers_of(document, environ, lines, file)
    own = {name: value for name, value in document.items() if name != receiver_source.SECTION}
    variables = {
        name: text for name, text in environ.items() if not name.startswith(receiver_source.VARIABLES)
    }
    given = source.from_document(PLACES, own, lines, file) | source.from_environ(PLACES, variables)
    receiver_source.read_secrets("heartbeat", PLACES, given)
    settings = source.build(Settings, PLACES, given)
    return settings.with_receivers(receivers, origins)


def settings_markdown() -> str:
    """The reference of all settings as Markdown, as the README has it."""
    return table.markdown(Settings().described())


def settings_example() -> str:
    """`sluice.example.toml`: every setting at its default, below its sentence."""
    return table.example(Settings().described(), PLACES.intros) + receiver_table.EXAMPLES


def receivers_markdown() -> str:
    """The reference of the settings of receivers as Markdown, as the README has it."""
    return receiver_table.markdown()

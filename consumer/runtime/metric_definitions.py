"""What every metric has in common: defined once with name, type, meaning and closed label sets, on a registry of its
own, each label value at 0 from the start so that a first increase is seen as one, and listed for the README."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Labels = Mapping[str, Sequence[str]]

Type = Literal["counter", "gauge", "histogram", "info"]
Metric = TypeVar("Metric", Counter, Gauge, Histogram)

PREFIX = "sluice_"

NAMED_ONLY = frozenset({"kind", "sink", "receiver", "reason"})
"""Labels with more values than a table wants, or with values that the configuration gives."""


class Definition(NamedTuple):
    """One metric as its readers know it."""

    name: str
    type: Type
    meaning: str
    labels: Labels


class Picture(Collector):
    """A gauge that is shown as a whole: the series of the last picture, all of one moment, and none that it lacks.

    For numbers of which 0 would be a lie where they are not known."""

    def __init__(self, name: str, meaning: str, labels: Labels) -> None:
        self._name = name
        self._meaning = meaning
        self._labels = list(labels)
        self._legal = set(product(*labels.values()))
        self._values: dict[tuple[str, ...], float] = {}

    def show(self, values: Mapping[tuple[str, ...], float]) -> None:
        """From now on these, by the values of their labels, as far as those are legal."""
        self._values = {labels: value for labels, value in values.items() if labels in self._legal}

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Its name, for the registry."""
        return [GaugeMetricFamily(self._name, self._meaning, labels=self._labels)]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The picture, for whoever scrapes."""
        family = GaugeMetricFamily(self._name, self._meaning, labels=self._labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        return [family]


class Definitions:
    """Creates metrics and remembers what they mean."""

    def __init__(self) -> None:
        # The `_created` series would double all counters for a feature that Prometheus has off by default.
        disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client forgot its annotation
        self.registry = CollectorRegistry()
        self.all: list[Definition] = []

    def counter(self, name: str, meaning: str, **labels: Sequence[str]) -> Counter:
        """Counts what happens; `name` without prefix and `_total`."""
        name = self._define(f"{name}_total", "counter", meaning, labels)
        return _from_the_start(Counter(name, meaning, labels, registry=self.registry), labels)

    def gauge(self, name: str, meaning: str, **labels: Sequence[str]) -> Gauge:
        """Says how something stands now; `name` without prefix."""
        name = self._define(name, "gauge", meaning, labels)
        return _from_the_start(Gauge(name, meaning, labels, registry=self.registry), labels)

    def picture(self, name: str, meaning: str, **labels: Sequence[str]) -> Picture:
        """Says how several things stand now, as far as that is known; `name` without prefix."""
        picture = Picture(self._define(name, "gauge", meaning, labels), meaning, labels)
        self.registry.register(picture)
        return picture

    def histogram(
        self, name: str, meaning: str, buckets: Sequence[float], **labels: Sequence[str]
    ) -> Histogram:
        """Counts how large something was; `name` without prefix, `buckets` are upper bounds in its unit."""
        name = self._define(name, "histogram", meaning, labels)
        return _from_the_start(
            Histogram(name, meaning, labels, registry=self.registry, buckets=buckets), labels
        )

    def info(self, name: str, meaning: str, values: Mapping[str, str]) -> None:
        """Shows texts that stay as they are; `name` without prefix and `_info`."""
        self._define(f"{name}_info", "info", meaning, {})
        Info(PREFIX + name, meaning, registry=self.registry).info(dict(values))

    def markdown(self) -> str:
        """The definitions as a table, in the order in which they were made."""
        head = ["| metric | type | labels | meaning |", "| --- | --- | --- | --- |"]
        rows = [
            f"| `{name}` | {kind} | {_in_words(labels)} | {meaning} |"
            for name, kind, meaning, labels in self.all
        ]
        return "\n".join(head + rows) + "\n"

    def _define(self, name: str, kind: Type, meaning: str, labels: Labels) -> str:
        name = PREFIX + name
        self.all.append(Definition(name, kind, meaning, labels))
        return name


def _from_the_start(metric: Metric, labels: Labels) -> Metric:
    for values in product(*labels.values()) if labels else ():
        metric.labels(*values)
    return metric


def _in_words(labels: Labels) -> str:
    return "; ".join(
        f"`{name}`" if name in NAMED_ONLY else f"`{name}`: {', '.join(values)}"
        for name, values in labels.items()
    )

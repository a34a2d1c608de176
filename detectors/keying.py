"""An input that is not keyed by client: one client in several partitions, so that nobody sees its visits whole."""

from __future__ import annotations

import msgspec

from detectors.alerts import Severity
from detectors.finding import Finding

KIND = "input_not_keyed"

MOST_CLIENTS = 4_096
"""Sampled clients that are remembered, the latest."""

FEWEST_CLIENTS = 30
FEWEST_SPREAD = 5
SPREAD_SHARE = 0.1
"""Said when, of at least 30 sampled clients, at least 5 and a tenth were in several partitions: one who clears cookies
or whose events were re-sent by hand is no pattern."""


class KeyingState(msgspec.Struct, omit_defaults=True):
    """The partition in which each sampled client (a hash) was last, and those that were in several."""

    partition: dict[int, int] = {}
    spread: set[int] = set()
    told: bool = False


def see(state: KeyingState, partition: int, clients: list[int]) -> None:
    """Takes in the sampled clients of a batch of a partition.

    >>> state = KeyingState()
    >>> see(state, 0, [7, 8]); see(state, 1, [8]); sorted(state.spread)
    [8]
    """
    for client in clients:
        if state.partition.pop(client, partition) != partition:
            state.spread.add(client)
        state.partition[client] = partition
        if len(state.partition) > MOST_CLIENTS:
            oldest = next(iter(state.partition))
            del state.partition[oldest]
            state.spread.discard(oldest)


def judge_keying(state: KeyingState, minute: int, day: str) -> list[Finding]:
    """Whether it is to be said now that the input is not keyed by client; once, until it is keyed again."""
    clients, spread = len(state.partition), len(state.spread)
    if clients < FEWEST_CLIENTS:
        return []
    bad = spread >= FEWEST_SPREAD and spread >= SPREAD_SHARE * clients
    if bad == state.told or (state.told and spread):
        return []
    state.told = bad
    return [
        Finding(
            KIND,
            "opened" if bad else "resolved",
            Severity.P1_HIGH,
            "gate",
            minute - 1,
            minute,
            metric="sessions",
            day=day,
            value=spread / clients,
            count=spread,
            message=(
                f"{spread} of {clients} sampled visitors came in several partitions: the input topic is not keyed by "
                "client id, so sessions are cut into pieces and counted too often. Key the producer's records by client "
                "id."
            ),
        )
    ]

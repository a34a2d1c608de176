"""Visitors of the seeded shop: who comes for the first time, and who comes back."""

from __future__ import annotations

import hashlib
import string
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from random import Random

SHORTEST_ABSENCE_MS = 45 * 60_000
"""Between two visits of a visitor: well above the 30 minutes that part sessions, whatever a fault adds to a visit."""

MOST_REMEMBERED = 5_000
"""Visitors who may come back; beyond that, new ones take the places of old ones."""

LETTERS = string.ascii_letters + string.digits

_USER_AGENTS = {
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1": 24,
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/133.0.6943.120 Mobile/15E148 Safari/604.1": 14,
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Mobile Safari/537.36": 22,
    "Mozilla/5.0 (Linux; Android 14; SM-S918U) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36": 8,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36": 18,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:135.0) Gecko/20100101 Firefox/135.0": 3,
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Safari/605.1.15": 10,
    "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1": 2,
}


class Visitor(NamedTuple):
    """Somebody's browser. `client_id` is None where the browser keeps none; `email` is a hash."""

    client_id: str | None
    email: str
    user_agent: str


class Visitors:
    """Everybody who ever came, as far as remembered, and until when they were last here."""

    def __init__(self, rng: Random, returning_share: float, no_identity_share: float) -> None:
        self._rng = rng
        self._returning_share = returning_share
        self._no_identity_share = no_identity_share
        self._known: list[tuple[Visitor, int]] = []

    def come(self, at_ms: int) -> Visitor:
        """Who comes at `at_ms`: a new visitor, or one who has been away for long enough."""
        if self._known and self._rng.random() < self._returning_share:
            place = self._rng.randrange(len(self._known))
            visitor, left_ms = self._known[place]
            if at_ms - left_ms >= SHORTEST_ABSENCE_MS:
                self._known[place] = self._known[-1]
                self._known.pop()
                return visitor
        return self._new(at_ms)

    def leave(self, visitor: Visitor, at_ms: int) -> None:
        """The visitor's last event was at `at_ms`. One without an identity can never be known again."""
        if visitor.client_id is None:
            return
        if len(self._known) < MOST_REMEMBERED:
            self._known.append((visitor, at_ms))
        else:
            self._known[self._rng.randrange(MOST_REMEMBERED)] = (visitor, at_ms)

    def _new(self, at_ms: int) -> Visitor:
        token = "".join(self._rng.choices(LETTERS, k=12))
        agent = self._rng.choices(list(_USER_AGENTS), list(_USER_AGENTS.values()))[0]
        identified = self._rng.random() >= self._no_identity_share
        return Visitor(
            f"{at_ms // 1000}-{token}" if identified else None,
            hashlib.sha256(token.encode()).hexdigest(),
            agent,
        )

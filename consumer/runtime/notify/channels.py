"""A receiver of the settings as something that messages can be sent to, with the plan that fits its sort."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import msgspec

from consumer.runtime.notify import any_service, smtp
from consumer.runtime.notify.any_service import UnknownServiceError
from consumer.runtime.notify.deadline import Deadline
from consumer.runtime.notify.outcome import TAKEN
from consumer.runtime.notify.smtp import Mailbox
from consumer.runtime.notify.web import Address, request
from consumer.settings.receiver_words import minutes_of
from consumer.settings.receivers import (
    Alertmanager,
    AnyReceiver,
    Apprise,
    Email,
    PagerDuty,
    Slack,
    Teams,
    Webhook,
)
from detectors.alerts import Severity
from reports.notify import alertmanager, mail, pager, pagerduty, people, slack, standing, teams, webhook
from reports.notify.policy import MINUTE_MS, Daily, Policy, QuietHours, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumer.runtime.clock import Clock
    from consumer.runtime.notify.outcome import Outcome
    from consumer.settings import Settings
    from reports.notify.hearing import Situation
    from reports.notify.message import Message, Pace, Plan

    Planner = Callable[[Policy, Situation, Pace], Plan]

TEST_KEY = "test"


class ChannelError(Exception):
    """A receiver cannot be used as it is set, in one sentence."""


class Post(NamedTuple):
    """The body of a request, and headers of its own."""

    body: bytes
    headers: dict[str, str]


class Send(Protocol):
    """Tries to send a message; `plain` = in the simplest form, for a server that refuses the other. Never raises."""

    def __call__(self, message: Message, *, plain: bool) -> Outcome:
        """One try."""
        ...


class Posts(Protocol):
    """What is posted for a message."""

    def __call__(self, message: Message, *, plain: bool) -> list[Post]:
        """The requests, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Channel:
    """One receiver: what it wants to hear, how its messages are planned, and how one is sent."""

    policy: Policy
    plan: Planner
    send: Send


def channels_of(settings: Settings, clock: Clock) -> dict[str, Channel]:
    """All receivers by name. Raises ChannelError."""
    return {
        name: channel_of(name, receiver, settings, clock) for name, receiver in settings.receivers.items()
    }


def channel_of(name: str, receiver: AnyReceiver, settings: Settings, clock: Clock) -> Channel:
    """The receiver, ready to be sent to. Raises ChannelError."""
    ca_file = getattr(receiver, "ca_file", "")
    if ca_file and not Path(ca_file).is_file():
        raise ChannelError(f"[receivers.{name}] ca_file names a file that is not there; correct it")
    sort: dict[type[AnyReceiver], Planner] = {PagerDuty: pager.plan, Alertmanager: standing.plan}
    deadline = Deadline(name, receiver.timeout_seconds)
    send = _sender(name, receiver, clock)

    def within(message: Message, *, plain: bool) -> Outcome:
        return deadline.run(lambda: send(message, plain=plain))

    return Channel(policy_of(name, receiver, settings), sort.get(type(receiver), people.plan), within)


def policy_of(name: str, receiver: AnyReceiver, settings: Settings) -> Policy:
    """What the receiver wants to hear."""
    zone = ZoneInfo(settings.time.zone)
    route = Route(
        frozenset(map(Severity, receiver.severities)), tuple(receiver.kinds), tuple(receiver.metrics)
    )
    quiet, digest = getattr(receiver, "quiet_hours", ""), getattr(receiver, "digest_at", "")
    policy = Policy(name, settings.group, route, grace_ms=settings.notify.grace_minutes * MINUTE_MS)
    changed: dict[str, Any] = {}
    if quiet:
        begin, end = map(minutes_of, quiet.split("-"))
        changed["quiet"] = QuietHours(begin, end, zone)
    if digest:
        changed["digest"] = Daily(minutes_of(digest), zone)
    if isinstance(receiver, Alertmanager):
        changed["resend_ms"] = round(receiver.resend_seconds * 1000)
    else:
        changed["update_ms"] = receiver.update_minutes * MINUTE_MS
    return replace(policy, **changed)


def _sender(name: str, receiver: AnyReceiver, clock: Clock) -> Send:
    match receiver:
        case Slack():
            return _posting(_address(receiver), clock, partial(_chat, slack.payload, slack.plain_payload))
        case Teams():
            return _posting(_address(receiver), clock, partial(_chat, teams.payload, teams.plain_payload))
        case Webhook():
            address = _address(receiver, receiver.token, receiver.secret)
            return _posting(address, clock, partial(_signed, receiver.secret, clock))
        case PagerDuty():
            address = _address(receiver, "", receiver.routing_key)
            return _posting(address, clock, partial(_event, receiver.routing_key))
        case Alertmanager():
            address = _address(receiver, receiver.token)
            resend_ms = round(receiver.resend_seconds * 1000)
            return _posting(replace(address, path="/api/v2/alerts"), clock, partial(_standing, resend_ms))
        case Email():
            return partial(_mailed, name, _mailbox(receiver))
        case Apprise():
            return _by_apprise(name, receiver)


def _posting(address: Address, clock: Clock, posts: Posts) -> Send:
    """Sends each body by POST; the first one that is not taken decides."""

    def send(message: Message, *, plain: bool) -> Outcome:
        for post in posts(message, plain=plain):
            outcome = request("POST", address, clock.now_ms(), post.body, post.headers)
            if outcome.failure is not None:
                return outcome
        return TAKEN

    return send


def _address(
    receiver: Slack | Teams | Webhook | PagerDuty | Alertmanager, token: str = "", *secrets: str
) -> Address:
    return Address(
        receiver.url,
        receiver.ca_file,
        receiver.timeout_seconds,
        token,
        tuple(filter(None, (token, *secrets))),
    )


def _chat(
    rich: Callable[[Message], dict[str, Any]],
    simple: Callable[[Message], dict[str, Any]],
    message: Message,
    *,
    plain: bool,
) -> list[Post]:
    return [Post(msgspec.json.encode(simple(message) if plain else rich(message)), {})]


def _signed(secret: str, clock: Clock, message: Message, *, plain: bool) -> list[Post]:
    body = msgspec.json.encode(webhook.plain_payload(message) if plain else webhook.payload(message))
    seconds = clock.now_ms() // 1000
    headers = {"webhook-id": message.id, "webhook-timestamp": str(seconds)}
    if secret:
        headers["webhook-signature"] = webhook.signature(secret, message.id, seconds, body)
    return [Post(body, headers)]


def _event(routing_key: str, message: Message, *, plain: bool) -> list[Post]:
    event = pagerduty.plain_event if plain else pagerduty.event
    if message.kind != "test":
        return [Post(msgspec.json.encode(event(message, routing_key)), {})]
    begun = replace(message, key=TEST_KEY)
    ended = replace(begun, action="resolve")
    return [Post(msgspec.json.encode(event(one, routing_key)), {}) for one in (begun, ended)]


def _standing(resend_ms: int, message: Message, *, plain: bool) -> list[Post]:  # noqa: ARG001 - as `Posts` has it
    bodies = (
        [alertmanager.test_alert(message.site, message.at_ms)]
        if message.kind == "test"
        else alertmanager.bodies(message, resend_ms)
    )
    return [Post(msgspec.json.encode(body), {}) for body in bodies]


def _mailbox(receiver: Email) -> Mailbox:
    host, _, port = receiver.server.rpartition(":")
    return Mailbox(
        host.strip("[]"),
        int(port),
        receiver.security,
        receiver.user,
        receiver.password,
        receiver.sender,
        tuple(receiver.to),
        receiver.ca_file,
    )


def _mailed(name: str, box: Mailbox, message: Message, *, plain: bool) -> Outcome:
    return smtp.send(smtp.compose(mail.mail(message), box, name, message.at_ms, plain=plain), box)


def _by_apprise(name: str, receiver: Apprise) -> Send:
    try:
        service = any_service.service(receiver.url)
    except UnknownServiceError:
        raise ChannelError(
            f"[receivers.{name}] url is none that Apprise knows; see https://appriseit.com/services/"
        ) from None

    def send(message: Message, *, plain: bool) -> Outcome:
        return any_service.send(service, message, receiver.timeout_seconds, plain=plain)

    return send

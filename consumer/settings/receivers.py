"""The receivers of alerts: `[receivers.NAME]` tables, one for each, of a type that says how they are reached.

Every setting can be given by a variable as well (`SLUICE_RECEIVERS_NAME_URL`), and what is secret by a file whose name
is given (`url_file`), as Docker and Kubernetes hand out secrets.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from consumer.settings.legal import file_path
from consumer.settings.receiver_words import (
    SEVERITIES,
    address,
    clock_time,
    hours,
    integration_key,
    kind_patterns,
    mail_server,
    metric_names,
    some_addresses,
    some_severities,
    url_of_any_service,
    web_address,
)
from consumer.settings.section import Section
from consumer.settings.words import Secret

DEFAULT_SEVERITIES = list(SEVERITIES)[:2]

File = Annotated[str, AfterValidator(file_path)]
WebAddress = Annotated[str, AfterValidator(web_address)]
SecretAddress = Annotated[str, AfterValidator(web_address), Secret()]
SecretText = Annotated[str, Secret()]


class Receiver(Section):
    """What every receiver has."""

    severities: Annotated[list[str], AfterValidator(some_severities)] = Field(
        default=DEFAULT_SEVERITIES,
        description="Which alerts it gets by severity: P0_BLOCKER, P1_HIGH, P2_NOTE (P0, P1, P2 for short).",
    )
    kinds: Annotated[list[str], AfterValidator(kind_patterns)] = Field(
        default=[],
        description="Only alerts of these kinds, such as schema_* or revenue_anomaly; none = all kinds.",
    )
    metrics: Annotated[list[str], AfterValidator(metric_names)] = Field(
        default=[], description="Only alerts about these metrics, such as revenue; none = all alerts."
    )


class _Told(Receiver):
    quiet_hours: Annotated[str, AfterValidator(hours)] = Field(
        default="",
        description="Hours such as 22:00-07:00 in [time] zone: a P1 waits until their end, a P0 does not; empty = none.",
    )
    update_minutes: int = Field(
        default=120,
        ge=1,
        le=10_080,
        description="Least time in minutes between two messages about changed numbers of one alert.",
    )


class _Person(_Told):
    digest_at: Annotated[str, AfterValidator(clock_time)] = Field(
        default="08:00",
        description="When the daily digest comes, in [time] zone: the newest day, what is open, the notes; empty = never.",
    )


class _Web(Section):
    ca_file: File = Field(
        default="",
        description="PEM file of the authorities that its certificate is checked with; empty = the usual ones.",
    )
    timeout_seconds: float = Field(
        default=15.0, ge=1, le=300, description="Longest time in seconds that one try may take."
    )


class Slack(_Web, _Person):
    """A Slack channel, through an incoming webhook."""

    type: Literal["slack"] = Field(description="How the receiver is reached.")
    url: SecretAddress = Field(default="", description="Its webhook's address.")
    url_file: File = Field(default="", description="File that holds url.")


class Teams(_Web, _Person):
    """A Microsoft Teams channel, through a workflow that begins with a webhook request."""

    type: Literal["teams"] = Field(description="How the receiver is reached.")
    url: SecretAddress = Field(default="", description="The workflow's address.")
    url_file: File = Field(default="", description="File that holds url.")


class Email(_Person):
    """E-mail, through any server that speaks SMTP."""

    type: Literal["email"] = Field(description="How the receiver is reached.")
    server: Annotated[str, AfterValidator(mail_server)] = Field(
        default="", description="Mail server, host:port; 587 and 465 are the usual ports."
    )
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="Encryption: from the start of the connection (tls, port 465), or asked for in it.",
    )
    user: str = Field(default="", description="Name to log in with; empty = no login.")
    password: SecretText = Field(default="", description="Password to log in with.")
    password_file: File = Field(default="", description="File that holds password.")
    sender: Annotated[str, AfterValidator(address)] = Field(
        default="", description="Address that mail comes from."
    )
    to: Annotated[list[str], AfterValidator(some_addresses)] = Field(
        default=[], description="Addresses that mail goes to."
    )
    ca_file: File = Field(
        default="",
        description="PEM file of the authorities that its certificate is checked with; empty = the usual ones.",
    )
    timeout_seconds: float = Field(
        default=30.0, ge=1, le=300, description="Longest time in seconds that one try may take."
    )


class Webhook(_Web, _Person):
    """A program of yours: JSON by POST."""

    type: Literal["webhook"] = Field(description="How the receiver is reached.")
    url: SecretAddress = Field(default="", description="Address to post to.")
    url_file: File = Field(default="", description="File that holds url.")
    token: SecretText = Field(default="", description="Sent as `Authorization: Bearer`; empty = none.")
    token_file: File = Field(default="", description="File that holds token.")
    secret: SecretText = Field(
        default="", description="Key that messages are signed with (Standard Webhooks); empty = not signed."
    )
    secret_file: File = Field(default="", description="File that holds secret.")
    digest_at: Annotated[str, AfterValidator(clock_time)] = Field(
        default="", description="When the daily digest comes, in [time] zone; empty = never."
    )


class PagerDuty(_Web, _Told):
    """A PagerDuty service, through an integration of type Events API v2."""

    type: Literal["pagerduty"] = Field(description="How the receiver is reached.")
    routing_key: Annotated[str, AfterValidator(integration_key), Secret()] = Field(
        default="", description="The integration's key, 32 characters."
    )
    routing_key_file: File = Field(default="", description="File that holds routing_key.")
    url: WebAddress = Field(
        default="https://events.pagerduty.com/v2/enqueue",
        description="Where events go; in the EU https://events.eu.pagerduty.com/v2/enqueue.",
    )


class Alertmanager(_Web, Receiver):
    """A Prometheus Alertmanager; of several that form a cluster, each is a receiver."""

    type: Literal["alertmanager"] = Field(description="How the receiver is reached.")
    url: SecretAddress = Field(default="", description="Its address, such as http://alertmanager:9093.")
    url_file: File = Field(default="", description="File that holds url.")
    token: SecretText = Field(default="", description="Sent as `Authorization: Bearer`; empty = none.")
    token_file: File = Field(default="", description="File that holds token.")
    resend_seconds: float = Field(
        default=60.0,
        ge=10,
        le=600,
        description="Time in seconds after which what still stands is sent again.",
    )


class Apprise(_Person):
    """Any of the services that Apprise knows (Discord, Telegram, Google Chat, ntfy, Opsgenie, …)."""

    type: Literal["apprise"] = Field(description="How the receiver is reached.")
    url: Annotated[str, AfterValidator(url_of_any_service), Secret()] = Field(
        default="",
        description="The service's address as Apprise writes it, such as discord://WebhookID/WebhookToken.",
    )
    url_file: File = Field(default="", description="File that holds url.")
    timeout_seconds: float = Field(
        default=30.0, ge=1, le=300, description="Longest time in seconds that one try may take."
    )


AnyReceiver: TypeAlias = Slack | Teams | Email | Webhook | PagerDuty | Alertmanager | Apprise

TYPES: dict[str, type[AnyReceiver]] = {
    "slack": Slack,
    "email": Email,
    "teams": Teams,
    "webhook": Webhook,
    "pagerduty": PagerDuty,
    "alertmanager": Alertmanager,
    "apprise": Apprise,
}

NEEDED: dict[str, tuple[str, ...]] = {
    "slack": ("url",),
    "email": ("server", "sender", "to"),
    "teams": ("url",),
    "webhook": ("url",),
    "pagerduty": ("routing_key",),
    "alertmanager": ("url",),
    "apprise": ("url",),
}
"""What a receiver of each type cannot do without."""

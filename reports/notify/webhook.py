"""A message as JSON for programs: what happened, and each alert as it stands in `alerts.json`.

Signed as Standard Webhooks (https://www.standardwebhooks.com) has it where there is a secret.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import msgspec

from consumer.core.instant import rfc3339
from reports.notify.notice import fitted, notice

if TYPE_CHECKING:
    from reports.notify.message import Message

SCHEMA_VERSION = 1

MOST_BYTES = 256_000
"""Many servers take no more than 1 MB; what does not fit is counted in `more`."""

MOST_TEXT = 4_000
_MOST_EVIDENCE = 8_000


def payload(message: Message) -> dict[str, Any]:
    """The JSON document to post. An alert's evidence is left out where it is large."""
    told = fitted(notice(message), MOST_TEXT)
    document = {
        "schema_version": SCHEMA_VERSION,
        "id": message.id,
        "site": message.site,
        "sent_at": rfc3339(message.at_ms),
        "type": message.kind if message.kind in ("digest", "test") else "alerts",
        "title": told.title,
        "text": told.text(),
    }
    changes: list[dict[str, Any]] = []
    left = MOST_BYTES
    for change in message.changes:
        alert = msgspec.to_builtins(change.alert)
        if len(msgspec.json.encode(alert.get("evidence"))) > _MOST_EVIDENCE:
            alert["evidence"] = None
        entry = {"event": change.event, "alert": alert}
        left -= len(msgspec.json.encode(entry))
        if left < 0:
            break
        changes.append(entry)
    return document | {"changes": changes, "more": len(message.changes) - len(changes)}


def plain_payload(message: Message) -> dict[str, Any]:
    """The same without any alert's own fields."""
    return payload(message) | {"changes": [], "more": len(message.changes)}


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`; the secret is Base64 after `whsec_`, or any text.

    >>> signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError:
            key = secret.encode()
    signed = b".".join([message_id.encode(), str(timestamp).encode(), body])
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"

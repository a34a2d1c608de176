"""Secrets and visitors' data are planted in events and settings, and looked for in everything that is shown."""

from __future__ import annotations

import json
import os
import stat

import pytest
from click.testing import CliRunner

from consumer.cli.main import sluice
from consumer.settings import settings_of
from tests.faults.feed import Sent, send, troubled_shop
from tests.processes import PATIENCE_SECONDS, Site
from tests.topic_reader import create_topic, read_committed
from tests.waiting import wait_until

pytestmark = pytest.mark.broker

MARK = "pl4nted"
"""In every planted text, so that pieces of one are found, too."""

CLIENT = f"client-{MARK}-1"
PERSONAL = {
    "client_id": CLIENT,
    "email": f"jane.{MARK}@example.com",
    "ip": "203.0.113.77",
    "user_agent": f"Mozilla/5.0 ({MARK}; +49 30 1234567)",
    "page_url": f"https://shop.example/account?token={MARK}&email=jane%40{MARK}.example",
    "referrer": f"https://{MARK}.example/inbox?q={MARK}",
}
TRACES = (MARK, "203.0.113.77", "jane", "1234567")

SECRETS = {
    "KAFKA_SASL_PASSWORD": f"{MARK}-kafka",
    "RECEIVERS_CHAT_TYPE": "slack",
    "RECEIVERS_CHAT_URL": f"https://127.0.0.1:1/services/{MARK}",
    "RECEIVERS_POST_TYPE": "email",
    "RECEIVERS_POST_SERVER": "127.0.0.1:1",
    "RECEIVERS_POST_SENDER": "sluice@shop.example",
    "RECEIVERS_POST_TO": "team@shop.example",
    "RECEIVERS_POST_USER": "robot",
    "RECEIVERS_POST_PASSWORD": f"{MARK}-mail",
    "RECEIVERS_HOOK_TYPE": "webhook",
    "RECEIVERS_HOOK_URL": f"https://user:{MARK}@127.0.0.1:1/hook?key={MARK}",
    "RECEIVERS_HOOK_TOKEN": f"{MARK}-token",
    "HEARTBEAT_URL": f"https://127.0.0.1:1/ping/{MARK}",
}


def planted() -> list[Sent]:
    """Good events and one of every way to be bad, each full of what nobody must see."""

    def event(**changes: object) -> bytes:
        whole = {"timestamp": "2025-03-02T12:00:00Z", "event_name": "page_viewed", **PERSONAL, **changes}
        return json.dumps({key: value for key, value in whole.items() if value is not None}).encode()

    bought = {"transaction_id": "t-1", "revenue": 10, "items": [{"name": PERSONAL["email"]}]}
    checkout = {"event_name": "checkout_completed"}
    values = [
        event(),
        event(timestamp=f"{MARK} o'clock"),
        event(timestamp=None),
        event(timestamp=["2025", PERSONAL["email"]]),
        event(event_name=None),
        event(event_name={"is": PERSONAL["email"]}),
        event(client_id=[CLIENT]),
        event(page_url=12, referrer={"from": PERSONAL["email"]}),
        event(**checkout, event_data={**bought, "revenue": PERSONAL["email"]}),
        event(**checkout, event_data={**bought, "items": PERSONAL["email"]}),
        event(**checkout, event_data=bought),
        event(**checkout, event_data={**bought, "revenue": 11}),
        event(**checkout, event_data=f"no JSON: {PERSONAL['email']}"),
        json.dumps(PERSONAL["email"]).encode(),
        event()[:-9],
        f"{PERSONAL['email']}\xff".encode("latin-1"),
    ]
    return [Sent(value, CLIENT.encode()) for value in values for _ in range(4)]


@pytest.fixture(scope="module")
def shown(broker, tmp_path_factory):
    """By name, everything that a run shows of such events."""
    folder = tmp_path_factory.mktemp("planted")
    before = os.umask(0o022)
    with Site(broker.bootstrap_servers, f"planted-{os.getpid()}-", folder) as site:
        create_topic(site.servers, site.input, 2)
        send(site.servers, site.input, [*troubled_shop(3), *planted()])
        process = site.start(**SECRETS, LOG_LEVEL="debug")
        site.wait_until_caught_up()
        wait_until((site.out / "report.html").exists, PATIENCE_SECONDS, process.told())
        texts = {"/metrics": process.get("/metrics")[1], "/readyz": process.get("/readyz")[1]}
        process.stop()
        texts["the log"] = "\n".join([*map(json.dumps, process.log), *process.words])
        texts |= {path.name: path.read_text() for path in site.out.iterdir()}
        for name in ("days", "alerts"):
            records = read_committed(site.servers, site.topic(name))
            texts[f"topic {name}"] = "\n".join(str((record.key(), record.value())) for record in records)
        for command in (["check"], ["gate", "status"], ["alerts", "list"], ["notify", "test"]):
            texts[" ".join(command)] = _said(command, site)
        yield texts, site
    os.umask(before)


def _said(command: list[str], site: Site) -> str:
    environment = {f"SLUICE_{name}": value for name, value in SECRETS.items()}
    result = CliRunner().invoke(sluice, [*command, "--config", str(site.settings())], env=environment)
    assert result.output
    return result.output


def test_nothing_that_is_shown_has_a_trace_of_a_visitor_or_a_secret(shown):
    texts, _ = shown
    assert {"daily_metrics.csv", "alerts.json", "report.md", "report.html"} <= texts.keys()
    assert all(texts.values())
    found = {
        (name, line[:300])
        for name, text in texts.items()
        for line in text.splitlines()
        for trace in TRACES
        if trace in line
    }
    assert not found


def test_what_was_planted_was_looked_at(shown):
    texts, site = shown
    letters = read_committed(site.servers, site.topic("dead_letters"))
    assert sum(MARK.encode() in (letter.value() or b"") for letter in letters) >= 8 * 4
    assert "purchase_invalid" in texts["alerts.json"]


def test_the_daily_files_are_for_all_to_read_and_for_none_but_their_owner_to_write(shown):
    _, site = shown
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in site.out.iterdir()}
    assert set(modes.values()) == {0o644}, modes


def test_dead_letters_in_a_file_are_their_owners_alone(tmp_path):
    events, out = tmp_path / "events.ndjson", tmp_path / "out"
    events.write_bytes(b"\n".join(value.value for value in planted() if value.value))
    out.mkdir()
    laid = out / ".dead_letters.ndjson.partial"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    laid.symlink_to(elsewhere)
    result = CliRunner().invoke(sluice, ["backfill", str(events), "--out", str(out)])
    assert MARK not in result.output
    assert stat.S_IMODE((out / "dead_letters.ndjson").stat().st_mode) == 0o600
    assert elsewhere.read_text() == "kept"


def test_endpoints_listen_on_the_loopback_address_unless_told_otherwise():
    assert settings_of({}, {}).metrics.host == "127.0.0.1"

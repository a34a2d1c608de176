"""Two processes of one group that count differently, on a real Kafka."""

import json

import pytest

from tests.faults.feed import Sent, page_view, send
from tests.processes import PATIENCE_SECONDS, Site
from tests.topic_reader import create_topic
from tests.waiting import wait_until

pytestmark = pytest.mark.broker


@pytest.fixture
def site(broker, topic_prefix, tmp_path):
    with Site(broker.bootstrap_servers, topic_prefix, tmp_path) as site:
        yield site


def warnings(process):
    return json.loads(process.get("/readyz")[1]).get("warnings")


def test_both_are_told_as_long_as_both_live_and_a_restart_with_other_settings_is_only_noted(site):
    create_topic(site.servers, site.input, 2)
    visits = [
        Sent(page_view(f"v{n}", f"2025-03-01T12:{n // 60:02d}:{n % 60:02d}.000Z"), b"v%d" % n)
        for n in range(100)
    ]
    send(site.servers, site.input, visits)
    utc = site.start()
    utc.wait_until_ready()
    berlin = site.start(TIME_ZONE="Europe/Berlin")
    for process in (utc, berlin):
        said = process.wait_to_say("processes of one group do not agree", level="error")
        assert "other values of [time]," in said["reason"]
        assert warnings(process) == [said["reason"]]
        assert process.metric("sluice_settings_conflicts") >= 1
        assert process.get("/readyz")[0] == 200
    assert utc.stop() == 0
    berlin.wait_to_say("all processes of the group agree again")
    wait_until(lambda: not warnings(berlin), PATIENCE_SECONDS, "no warning any more")
    assert berlin.stop() == 0
    tokyo = site.start(TIME_ZONE="Asia/Tokyo")
    noted = tokyo.wait_to_say("contract or settings have changed since the last process")
    assert noted["changed"] == ["[time]"]
    tokyo.wait_until_ready()
    assert tokyo.stop() == 0
    assert not tokyo.said("processes of one group do not agree")

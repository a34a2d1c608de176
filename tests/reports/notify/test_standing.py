"""What Alertmanager is told: all that stands, again and again; the end of what does not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumer.core.timestamps import parse
from reports.notify import alertmanager, standing
from reports.notify.policy import Policy
from tests.reports.notify.desk import HOUR_MS, MINUTE_MS, P0, P1, Desk
from tests.reports.sample_state import HOSTILE


def desk(**fields):
    return Desk(standing.plan, Policy("am", "shop", **fields))


class Service:
    """What Alertmanager makes of posts: alerts by their labels, over when their `endsAt` has passed."""

    def __init__(self):
        self.ends: dict[tuple, int] = {}

    def takes(self, message, resend_ms=MINUTE_MS):
        for body in alertmanager.bodies(message, resend_ms):
            for entry in body:
                labels = tuple(sorted(entry["labels"].items()))
                assert parse(entry["startsAt"]) < parse(entry["endsAt"])
                self.ends[labels] = parse(entry["endsAt"])

    def firing(self, now_ms):
        return {
            (dict(labels)["alert_id"], dict(labels)["severity"])
            for labels, end in self.ends.items()
            if end > now_ms
        }


def test_what_stands_is_sent_again_every_interval():
    d = desk()
    d.opens("a", "b")
    sent = d.passes(10 * MINUTE_MS)
    assert len(sent) == 10
    assert all(len(message.changes) == 2 for message in sent)


def test_what_is_over_is_sent_once_with_its_end():
    d = desk()
    d.opens("a")
    d.passes(MINUTE_MS)
    d.turns("a", "resolved")
    (message,) = d.passes(HOUR_MS)
    ((entry,),) = alertmanager.bodies(message, MINUTE_MS)
    assert parse(entry["startsAt"]) < parse(entry["endsAt"]) < message.at_ms


def test_a_standing_alert_ends_by_itself_if_nobody_sends_it_any_more():
    d, service = desk(), Service()
    d.opens("a")
    for message in d.passes(MINUTE_MS):
        service.takes(message)
    assert service.firing(d.now_ms)
    assert not service.firing(d.now_ms + 6 * MINUTE_MS)


def test_hundreds_go_in_a_few_requests():
    d = desk()
    d.opens(*(f"a{n}" for n in range(450)))
    (message,) = d.passes(10_000)
    assert [len(body) for body in alertmanager.bodies(message, MINUTE_MS)] == [200, 200, 50]


def test_labels_hold_nothing_that_changes_and_nothing_that_is_empty():
    d = desk()
    d.opens("a", severity=P1)
    (first,) = d.passes(10_000)
    d.says("a", "many more events")
    d.turns("a", "acknowledged", value=3, count=7)
    (second,) = d.passes(MINUTE_MS)
    (one,), (other,) = (alertmanager.bodies(message, MINUTE_MS)[0] for message in (first, second))
    assert one["labels"] == other["labels"]
    assert "" not in one["labels"].values()
    assert one["annotations"] != other["annotations"]


def test_hostile_text_stays_one_line_of_bounded_length():
    d = desk()
    d.opens("a", subject=HOSTILE * 50, message=HOSTILE * 500, kind=HOSTILE)
    (message,) = d.passes(10_000)
    ((entry,),) = alertmanager.bodies(message, MINUTE_MS)
    for text in [*entry["labels"].values(), *entry["annotations"].values()]:
        assert text.isprintable()
        assert len(text) <= 1_000


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("opens"), st.integers(0, 8), st.sampled_from([P0, P1])),
        st.tuples(
            st.just("turns"),
            st.integers(0, 8),
            st.sampled_from(["open", "resolved", "inhibited", "acknowledged"]),
        ),
        st.tuples(st.just("louder"), st.integers(0, 8), st.none()),
        st.tuples(st.just("passes"), st.integers(0, 20 * MINUTE_MS), st.none()),
        st.tuples(st.just("restarts"), st.none(), st.none()),
    ),
    max_size=30,
)


@given(STEPS)
def test_whatever_happens_exactly_what_stands_fires_in_the_end(steps):
    d = desk()
    for step, first, second in steps:
        name = f"a{first}"
        if step == "opens" and name not in d.alerts:
            d.opens(name, severity=second)
        elif step == "turns" and name in d.alerts:
            d.turns(name, second)
        elif step == "louder" and name in d.alerts:
            d.turns(name, "open", severity=P0)
        elif step == "passes":
            d.passes(first)
        elif step == "restarts":
            d.restarts()
    d.passes(10 * MINUTE_MS)
    service = Service()
    for message in d.sent:
        service.takes(message)
    assert service.firing(d.now_ms) == {
        (alert.id, alert.severity.value)
        for alert in d.alerts.values()
        if alert.state in ("open", "acknowledged")
    }

"""Laws of the book, whatever findings and orders come, and however they are cut into batches."""

from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.alerts import LIVE
from detectors.inhibition import MOST_NOTES
from detectors.life import MOST_HISTORY, Entry
from detectors.purchases import COLLISION, INVALID
from tests.detectors.alert_shop import DAY, MINUTE_MS, NOON, P0, P1, P2, Watch, found

CONDITIONS = (
    ("schema_field_missing", "referrer"),
    ("schema_field_renamed", "client_id"),
    ("field_coverage", "referrer"),
    ("identity_coverage", ""),
    ("bot_traffic", ""),
    ("volume_spike", ""),
    ("volume_silence", ""),
    ("purchase_silence", ""),
    ("purchases_anomaly", ""),
    ("revenue_anomaly", ""),
    ("purchase_value_shift", ""),
    ("direct_share_shift", ""),
    ("purchase_invalid", ""),
)
HAPPENED = (
    (COLLISION, "O1"),
    (COLLISION, "O2"),
    (COLLISION, "O3"),
    (INVALID, ""),
    ("transaction_replay", "O1"),
)

GAPS = st.sampled_from([0, 1, 5, 31, 150, DAY, 36 * DAY])
SEVERITIES = st.sampled_from([P0, P1, P2])


@st.composite
def findings(draw):
    word = draw(st.sampled_from(["opened", "opened", "standing", "resolved", "happened"]))
    kind, subject = draw(st.sampled_from(HAPPENED if word == "happened" else CONDITIONS))
    step = draw(st.integers(0, 2))
    return {
        "kind": kind,
        "word": word,
        "subject": subject,
        "severity": P0 if kind == COLLISION else draw(SEVERITIES),
        "ago": draw(st.sampled_from([0, 1, 10, 60, 1500])),
        "day": draw(st.sampled_from([None, "2025-02-23", "2025-02-24"])),
        "evidence": {"step": step} if step else {},
        "absolute_change": draw(st.sampled_from([None, -5.0, "3.20"])),
    }


ORDERS = st.tuples(
    st.sampled_from(["acknowledge", "silence", "accept"]), st.integers(0, 7), st.integers(1, 300)
)


def steps_with(gaps):
    return st.lists(st.tuples(gaps, st.lists(findings(), max_size=3), st.none() | ORDERS), max_size=10)


STEPS = steps_with(GAPS)


def play(steps, cut, after=None):
    """Plays the steps, with a new batch after each step whose bit in `cut` is set."""
    watch, minute = Watch(), NOON
    for number, (gap, told, order) in enumerate(steps):
        minute += gap
        watch.take(*(finding(minute, **one) for one in told), minute=minute)
        if order is not None and watch.alerts:
            action, which, length = order
            alerts = sorted(alert.id for alert in watch.alerts)
            watch.obey(action, alerts[which % len(alerts)], until_ms=(minute + length) * MINUTE_MS)
        if after is not None:
            after(watch)
        if cut >> number & 1:
            watch.commit()
    return watch


def finding(minute, kind, word, subject, severity, ago, **fields):
    return found(kind, word, minute, minute - ago, subject, severity, **fields)


@given(STEPS, st.integers(0, 2**10 - 1))
def test_the_same_findings_and_orders_give_the_same_alerts_however_they_are_cut(steps, cut):
    assert play(steps, cut)._draft.merged() == play(steps, 0)._draft.merged()


@given(STEPS)
def test_every_alert_that_is_held_back_has_a_cause_that_lists_it_and_none_explains_itself(steps):
    def check(watch):
        known = {alert.id: alert for alert in watch.alerts}
        for alert in known.values():
            assert alert.id not in (alert.explains or [])
            assert len(set(alert.explains or [])) == len(alert.explains or [])
            if alert.state == "inhibited":
                assert alert.kind != COLLISION
                assert alert.id in known[alert.caused_by].explains
                assert known[alert.caused_by].severity != P2 or alert.severity == P2
            seen, above = set(), alert
            while above is not None and above.caused_by:
                assert above.id not in seen
                seen.add(above.id)
                above = known.get(above.caused_by)

    play(steps, 0, check)


@given(steps_with(st.sampled_from([0, 1, 5, 31, 150, DAY])))
def test_ids_and_openings_stay_and_states_are_legal(steps):
    before = {}

    def check(watch):
        for alert in watch.alerts:
            assert (alert.state in LIVE) == (alert.resolved_at is None)
            assert alert.first_seen <= alert.opened_at
            assert alert.resolved_at is None or alert.resolved_at >= alert.opened_at
            assert len((alert.evidence or {}).get("history", [])) <= MOST_HISTORY
            old = before.get(alert.id)
            if old is not None and old.state in LIVE:
                assert (alert.kind, alert.subject) == (old.kind, old.subject)
                assert alert.first_seen <= old.first_seen
                assert alert.opened_at <= old.opened_at
                assert (alert.severity == P2) == (old.severity == P2)
                assert alert.severity <= old.severity
        before.update({alert.id: alert for alert in watch.alerts})

    play(steps, 0, check)


@given(STEPS)
def test_of_one_condition_and_step_there_is_one_live_alert_at_a_time(steps):
    def check(watch):
        live = [
            (entry.condition, entry.loud, entry.step)
            for entry in watch._draft.merged().values()
            if entry.live and entry.lasting
        ]
        assert len(live) == len(set(live))

    play(steps, 0, check)


@given(STEPS)
def test_what_is_told_is_what_changed(steps):
    watch = Watch()
    minute = NOON
    for gap, told, _ in steps:
        minute += gap
        before = dict(watch.table)
        watch.take(*(finding(minute, **one) for one in told), minute=minute)
        changed = {name for name, entry in watch._draft.merged().items() if before.get(name) != entry}
        assert changed <= watch.book.told
        watch.commit()


@given(STEPS)
def test_the_table_comes_back_from_its_journal(steps):
    import msgspec

    table = play(steps, 0)._draft.merged()
    packed = msgspec.msgpack.encode(table)
    assert msgspec.msgpack.decode(packed, type=dict[str, Entry]) == table


@settings(max_examples=20)
@given(st.integers(MOST_NOTES, MOST_NOTES + 50))
def test_a_cause_lists_a_bounded_number_of_notes(count):
    watch = Watch()
    watch.take(found("duplicate_events"))
    watch.take(
        *(
            found("transaction_replay", "happened", NOON + 1, subject=f"O{n}", severity=P2)
            for n in range(count)
        )
    )
    assert len(watch.of("duplicate_events").explains) == MOST_NOTES
    states = [alert.state for alert in watch.alerts if alert.kind == "transaction_replay"]
    assert states.count("inhibited") == MOST_NOTES

"""What a report says of its day is of its day; what is of another one names it."""

import pytest

from detectors.alerts import Severity
from detectors.verdict import Check
from reports.deliver import render_files
from reports.render import report_md
from tests.reports.sample_state import alert, good_week, receipt

CHECK = Check("transaction_collision", "quarantined", "2 purchases share an id, none counted", 2)
DAY = receipt("2025-02-26", status="quarantined", verdict="quarantined", checks=[CHECK])
FILLING = receipt("2025-02-27", status="open", verdict="quarantined")
OWN = alert("a1", subject="ORD-26", state="expired", evidence={"days": ["2025-02-26"]})
NEXT = {
    "day": "2025-02-27",
    "first_seen": "2025-02-27T13:01:00.000Z",
    "opened_at": "2025-02-27T13:02:00.000Z",
}
OTHER = alert("n1", subject="X-A1", evidence={"days": ["2025-02-27"]}, **NEXT)
SILENCE = alert("s1", kind="volume_silence", layer="watch", metric=None, subject=None, **NEXT)


def head(*alerts, day=DAY):
    """All above the metrics."""
    return render_files([*good_week(), day, FILLING], alerts)[report_md.NAME].decode().split("| metric")[0]


def test_a_quarantined_day_names_its_own_cause_also_when_its_alert_has_left_the_list():
    told = head(OWN, OTHER)
    assert (
        "**What broke:** transaction id `ORD-26` stands for different orders, since 2025-02-26 09:13" in told
    )
    assert "- 2025-02-26: transaction id `ORD-26` stands for different orders. To let it through" in told
    assert "sluice gate release 2025-02-27" not in told
    assert "X-A1" not in told


def test_a_quarantined_day_whose_alert_is_not_kept_is_not_given_the_cause_of_another_day():
    told = head(OTHER)
    assert "**Why:** `transaction_collision` 2 purchases share an id, none counted." in told
    assert "X-A1" not in told


def test_a_collision_that_is_still_open_is_not_the_cause_of_later_days():
    before = alert("b1", subject="ORD-25", day="2025-02-25", first_seen="2025-02-25T09:00:00.000Z")
    told = head(OWN, before)
    assert "**What broke:** transaction id `ORD-26`" in told
    assert "ORD-25" not in told


def test_a_released_day_has_nothing_left_to_do_whatever_broke_on_another_day():
    released = receipt("2025-02-26", status="released", verdict="quarantined", checks=[CHECK])
    told = head(OWN, OTHER, day=released)
    assert "**What broke:** transaction id `ORD-26`" in told
    assert "**What to do:** Nothing more: the day was released, on record." in told


@pytest.mark.parametrize(
    "day", [receipt("2025-02-26"), receipt("2025-02-26", checks=[Check("a", "at_risk", "b")])]
)
def test_what_is_louder_and_of_another_day_names_that_day(day):
    assert "**What broke on 2025-02-27:** no events came, since 2025-02-27 13:01 UTC (P0)." in head(
        SILENCE, day=day
    )


def test_what_is_no_louder_and_of_another_day_does_not_stand_before_what_speaks_against_the_day():
    day = receipt("2025-02-26", checks=[Check("purchase_invalid", "at_risk", "1 invalid, not counted", 1)])
    quieter = alert("s1", kind="volume_drop", layer="watch", severity=Severity.P1_HIGH, **NEXT)
    assert "**Why:** `purchase_invalid`" in head(quieter, day=day)


def test_colliding_purchases_of_several_other_days_name_them_all():
    pair = [OTHER, alert("b1", subject="ORD-25", day="2025-02-25", first_seen="2025-02-25T09:00:00.000Z")]
    told = head(*pair, day=receipt("2025-02-26"))
    assert "**What broke on 2025-02-25 and 2025-02-27:** 2 transaction ids stand for different orders" in told


def test_a_metric_is_not_explained_by_what_broke_on_another_day():
    low = receipt("2025-02-26", purchases=1, normal=good_week()[-1].normal)
    told = head(SILENCE, day=low)
    assert "Low: purchases (1, usual 22 ± 10); no rule takes that for more than chance." in told


def test_the_page_says_the_same():
    page = render_files([*good_week(), DAY, FILLING], [OWN, OTHER])["report.html"].decode()
    lead = page.split('<dl class="lead">')[1].split("</dl>")[0]
    assert "ORD-26" in lead
    assert "X-A1" not in lead
    page = render_files([*good_week(), receipt("2025-02-26"), FILLING], [SILENCE])["report.html"].decode()
    assert "<dt>What broke on 2025-02-27</dt>" in page

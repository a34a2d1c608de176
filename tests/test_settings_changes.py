"""Settings changed for a trial: typed and limited like any other, the rest as it was, a bad one is one sentence."""

from __future__ import annotations

import pytest

from consumer.settings import Settings, SettingsError, settings_of
from consumer.settings.changes import changed

SECTIONS = ("watch", "sessions", "time")


def test_a_change_changes_that_setting_and_no_other():
    settings = settings_of(
        {"group": "shop", "kafka": {"sasl.password": "hunter2"}, "watch": {"z": 6.0}},
        {"SLUICE_SESSIONS_GAP_MINUTES": "20"},
    )
    after = changed(settings, [" watch.revenue_min_absolute = 2500 ", "time.zone=Europe/Berlin"], SECTIONS)
    was, now = settings.model_dump(), after.model_dump()
    assert (now["watch"].pop("revenue_min_absolute"), now["time"].pop("zone")) == (2500.0, "Europe/Berlin")
    was["watch"].pop("revenue_min_absolute")
    was["time"].pop("zone")
    assert now == was
    assert settings.watch.revenue_min_absolute == Settings().watch.revenue_min_absolute


def test_the_origins_say_which_values_are_tried():
    after = changed(settings_of({}, {"SLUICE_WATCH_Z": "6"}), ["watch.hold_minutes=3"], SECTIONS)
    origins = {one.name: one.origin for one in after.described()}
    assert origins["watch.hold_minutes"] == "--set"
    assert origins["watch.z"] == "SLUICE_WATCH_Z"
    assert origins["watch.sessions_min_relative"] == "default"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (["watch.z"], '--set "watch.z" is no change; write one such as --set watch.z=4.'),
        (["watch.z="], '--set "watch.z=" is no change; write one such as --set watch.z=4.'),
        (["z=4"], '--set "z=4" is no change; write one such as --set watch.z=4.'),
        ([""], '--set "" is no change; write one such as --set watch.z=4.'),
        (["watch.z=high"], '--set: [watch] z must be a number from 1 to 100, not "high".'),
        (["watch.z=nan"], "--set: [watch] z must be a number from 1 to 100, not nan."),
        (["watch.z=0"], "--set: [watch] z must be a number from 1 to 100, not 0.0."),
        (
            ["watch.hold_minutes=1.5"],
            '--set: [watch] hold_minutes must be a whole number from 0 to 60, not "1.5".',
        ),
        (
            ["watch.revenue_min_absolut=1"],
            "--set: [watch] has no setting revenue_min_absolut; perhaps revenue_min_absolute is meant.",
        ),
        (["sessions.x=1"], "--set: [sessions] has no setting x; it has gap_minutes, allowed_lateness_minutes."),
        (["kafka.linger.ms=1"], "--set cannot change kafka.linger.ms, only watch, sessions, time."),
        (["watch.z=4", "watch.z=5"], "--set watch.z is given twice; give it once."),
        (["time.zone=berlin"], '--set: [time] zone is "berlin", which is no time zone; perhaps Europe/Berlin is meant.'),
        (["\x1b[2Jwatch.z=1"], '--set cannot change "\\u001b[2Jwatch.z", only watch, sessions, time.'),
    ],
)  # fmt: skip
def test_a_change_that_cannot_be_is_one_sentence(changes, sentence):
    with pytest.raises(SettingsError) as raised:
        changed(Settings(), changes, SECTIONS)
    assert str(raised.value) == sentence

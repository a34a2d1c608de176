"""The report opens where somebody sits in front of a desktop, and nowhere else."""

from __future__ import annotations

import pytest

from consumer.local.browser import open_page, opener
from tests.waiting import wait_until


@pytest.fixture
def desktop(tmp_path):
    """A desktop whose opener writes down what it was asked to open."""
    for name in ("xdg-open", "open"):
        script = tmp_path / name
        script.write_text(f'#!/bin/sh\necho noise; echo noise >&2; printf %s "$1" > "{tmp_path}/opened"\n')
        script.chmod(0o755)
    return {"PATH": f"{tmp_path}:/usr/bin:/bin", "DISPLAY": ":0"}


def test_a_page_is_opened_quietly_with_what_the_desktop_has_for_it(tmp_path, desktop, capfd):
    assert open_page(tmp_path / "a page.html", desktop)
    wait_until(
        lambda: (tmp_path / "opened").exists() and (tmp_path / "opened").read_text(), 10, "it is opened"
    )
    assert (tmp_path / "opened").read_text() == str(tmp_path / "a page.html")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("platform", "environment", "found"),
    [
        ("linux", {}, "xdg-open"),
        ("linux", {"DISPLAY": "", "WAYLAND_DISPLAY": "wayland-0"}, "xdg-open"),
        ("darwin", {"DISPLAY": ""}, "open"),
        ("linux", {"DISPLAY": ""}, None),
        ("linux", {"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}, None),
        ("darwin", {"CI": "true"}, None),
    ],
)
def test_nothing_is_opened_where_nobody_looks(tmp_path, desktop, platform, environment, found):
    chosen = opener(desktop | environment, platform)
    assert chosen == (None if found is None else str(tmp_path / found))


def test_a_desktop_without_an_opener_opens_nothing(tmp_path):
    assert not open_page(tmp_path, {"PATH": str(tmp_path), "DISPLAY": ":0"})

"""Robots that say so, and browsers that must not be taken for them."""

import pytest

from consumer.core.robots import Robots


@pytest.mark.parametrize(
    "user_agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0 Safari/537.36",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
        "Baiduspider/2.0",
        "curl/8.4.0",
        "Wget/1.21",
        "python-requests/2.31.0",
        "Java/17.0.1",
        "Go-http-client/1.1",
        "Scrapy/2.11 (+https://scrapy.org)",
        "UptimeRobot/2.0",
        "GOOGLEBOT",
        "Besucher-Bot für alle",
    ],
)
def test_what_names_itself_a_robot_is_one(user_agent):
    robots = Robots()
    assert robots[user_agent] is robots[user_agent] is True


@pytest.mark.parametrize(
    "user_agent",
    [
        "",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 Version/18.3 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 12; CUBOT X50) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/132.0 Mobile [FBAN/FB4A;FBAV/498.0.0.54.74;]",
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:135.0) Gecko/20100101 Firefox/135.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 GSA/350.0 Mobile Safari/604.1",
    ],
)
def test_a_browser_is_none(user_agent):
    robots = Robots()
    assert robots[user_agent] is robots[user_agent] is False


def test_user_agents_without_end_take_little_room():
    robots = Robots()
    for number in range(10_000):
        assert not robots[f"browser {number}"]
        assert len(robots) <= 4096
    assert robots["robot " + "x" * 1_000_000]
    assert max(map(len, robots)) < 100

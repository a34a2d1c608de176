"""Robots that name themselves: words in a user agent that no person's browser has.

Those that crawlers and programs use in the lists of `isbot` (https://github.com/omrilotan/isbot) and
`crawler-user-agents` (https://github.com/monperrus/crawler-user-agents), as a few general words: whoever wants to be
taken for a person names none of them anyway.
"""

from __future__ import annotations

import re
from functools import lru_cache

_ROBOT = re.compile(
    r"(?<!cu)bot|crawl|spider|slurp|scrap[ey]|headless|phantomjs|selenium|puppeteer|playwright|lighthouse|monitor"
    r"|pingdom|uptime|curl/|wget|python-|python/|aiohttp|httpx|libwww|httpclient|http-client|java/\d|node-fetch|axios/"
    r"|facebookexternalhit|mediapartners|inspectiontool|googleother|preview|archiver|validator|fetcher",
    re.IGNORECASE,
)
"""`cubot` is a make of phones."""

_LOOKED_AT = 512
"""Characters; browsers name themselves in less than 300."""


def is_robot(user_agent: str) -> bool:
    """Whether the user agent says that it is a robot.

    >>> is_robot("Mozilla/5.0 (compatible; Googlebot/2.1)"), is_robot("Mozilla/5.0 (Linux; Android 12; CUBOT X50)")
    (True, False)
    """
    return _is_robot(user_agent[:_LOOKED_AT])


@lru_cache(maxsize=4096)
def _is_robot(user_agent: str) -> bool:
    return _ROBOT.search(user_agent) is not None

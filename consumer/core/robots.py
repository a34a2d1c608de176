"""Robots that name themselves: words in a user agent that no person's browser has.

Those that crawlers and programs use in the lists of `isbot` (https://github.com/omrilotan/isbot) and
`crawler-user-agents` (https://github.com/monperrus/crawler-user-agents), as a few general words: whoever wants to be
taken for a person names none of them anyway.
"""

from __future__ import annotations

import re

_WORDS = (
    r"(?<!cu)bot|crawl|spider|slurp|scrap[ey]|headless|phantomjs|selenium|puppeteer|playwright|lighthouse|monitor"
    r"|pingdom|uptime|curl/|wget|python-|python/|aiohttp|httpx|libwww|httpclient|http-client|java/\d|node-fetch|axios/"
    r"|facebookexternalhit|mediapartners|inspectiontool|googleother|preview|archiver|validator|fetcher"
)
"""`cubot` is a make of phones."""

_ROBOT = re.compile(_WORDS, re.IGNORECASE)
_ROBOT_IN_LOWER_CASE = re.compile(_WORDS)
"""Finds the same in ASCII in lower case, four times as fast."""

_LOOKED_AT = 512
"""Characters; browsers name themselves in less than 300."""

_MOST = 4096
"""User agents remembered; long ones are not."""


class Robots(dict[str, bool]):
    """Whether a user agent says that it is a robot; a dict look-up for those seen lately.

    >>> robots = Robots()
    >>> robots["Mozilla/5.0 (compatible; Googlebot/2.1)"], robots["Mozilla/5.0 (Linux; Android 12; CUBOT X50)"]
    (True, False)
    """

    def __missing__(self, user_agent: str) -> bool:
        text = user_agent[:_LOOKED_AT]
        found = _ROBOT_IN_LOWER_CASE.search(text.lower()) if text.isascii() else _ROBOT.search(text)
        if len(self) >= _MOST:
            self.clear()
        if len(user_agent) <= _LOOKED_AT:
            self[user_agent] = found is not None
        return found is not None

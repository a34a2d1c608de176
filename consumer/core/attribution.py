"""Direct or not: whether a visit's first page tells of another site or a campaign that sent the visitor.

Direct = no external referrer and no campaign parameter in the page's URL (GA4's words: no source, medium or click
id). Worked out once a session, not once an event.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus

from publicsuffixlist import PublicSuffixList

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")
_AFTER = re.compile(r"[?#\\]")
_PORT = re.compile(r":\d*\Z")
_suffixes = PublicSuffixList()

_LONG = 256
"""Characters; what is this long is not kept, so that the cache stays small."""


def host_of(url: str | None) -> str | None:
    """The host of an absolute URL in lower case, without userinfo, port and trailing dot; None if there is none.

    >>> host_of("https://user@Shop.Example.com:443/a?b"), host_of("/relative"), host_of("https://")
    ('shop.example.com', None, None)
    """
    return _host(_authority(url))


def _authority(url: str | None) -> str:
    """What stands before an absolute URL's first slash, and may go on with its query; nothing if it is none."""
    parts = (url or "").split("/", 3)
    if len(parts) < 3 or parts[1] or not (parts[0] == "https:" or _SCHEME.fullmatch(parts[0])):  # noqa: PLR2004
        return ""
    return parts[2]


def _host(authority: str) -> str | None:
    host = _AFTER.split(authority, maxsplit=1)[0].rpartition("@")[2]
    return _PORT.sub("", host).rstrip(".").lower() or None


@lru_cache(maxsize=65_536)
def registrable_domain(host: str) -> str:
    """The domain that one registers (public suffix list), or the host itself where there is none.

    >>> registrable_domain("checkout.shop.co.uk"), registrable_domain("localhost")
    ('shop.co.uk', 'localhost')
    """
    if len(host) > 253 or host.replace(".", "").isdigit():  # noqa: PLR2004 - a name's limit (RFC 1035)
        return host
    return _suffixes.privatesuffix(host) or host


class Attribution:
    """Tells direct visits, by the contract's campaign parameters and own domains."""

    def __init__(self, campaign_parameters: Iterable[str], own_domains: Iterable[str]) -> None:
        self._leads_away_lately = lru_cache(maxsize=16_384)(self._leads_away)
        names = [re.escape(name.lower()).replace(r"\*", "[^=&]*") for name in campaign_parameters]
        self._campaign = re.compile(rf"&(?:{'|'.join(names)})(?:=|&|\Z)" if names else r"(?!)")
        own = [domain.lower().strip(".") for domain in own_domains]
        self._own = frozenset(own)
        self._below_own = tuple("." + domain for domain in own)

    def is_direct(self, page_url: str | None, referrer: str | None) -> bool:
        """Whether a session whose first event has this page and referrer is a direct one."""
        if referrer and self.is_external(referrer, page_url):
            return False
        return not (page_url and "?" in page_url and self.has_campaign(page_url))

    def has_campaign(self, page_url: str | None) -> bool:
        """Whether the query of the URL holds a campaign parameter or a click id.

        >>> Attribution(["utm_*", "gclid"], []).has_campaign("https://a.b/?x=1&GCLID=2#y")
        True
        """
        if not page_url:
            return False
        query = page_url.partition("?")[2]
        if not query:
            return False
        if "#" in page_url:
            query = page_url.partition("#")[0].partition("?")[2]
        query = "&" + query.lower()
        if self._campaign.search(query) is not None:
            return True
        if "%" not in query:
            return False
        names = "&".join(quote(unquote_plus(p.partition("=")[0]), safe="*") for p in query.split("&"))
        return self._campaign.search("&" + names.lower()) is not None

    def is_external(self, referrer: str | None, page_url: str | None) -> bool:
        """Whether the referrer is another site: a host whose registrable domain is neither the page's nor our own."""
        site = _authority(referrer)
        if not site:
            return False
        page = _authority(page_url)
        look = self._leads_away_lately if len(site) + len(page) < _LONG else self._leads_away
        return look(site, page)

    def _leads_away(self, site: str, page: str) -> bool:
        host, here = _host(site), _host(page)
        if host is None or host in self._own or host.endswith(self._below_own):
            return False
        return here is None or registrable_domain(host) != registrable_domain(here)

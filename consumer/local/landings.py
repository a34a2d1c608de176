"""How a visit to the seeded shop begins: the page, its query, and where the visitor came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from random import Random

    from consumer.local.shop_event import Opening
    from consumer.local.shop_traits import Product

SITE = "https://www.shop.example"

_PAGES = (
    "/",
    "/collections/best-sellers",
    "/pages/reviews",
    "/pages/store-locator",
    "/blogs/sleep/how-to-choose",
)
_EXTERNAL = (
    "https://www.search.example/",
    "https://www.search.example/",
    "https://m.social.example/",
    "https://reviews.example/best-of-2025",
    "https://mail.example/",
    "android-app://com.search.example/",
)
_OWN = (f"{SITE}/", f"{SITE}/cart", "https://checkout.shop.example/", "https://help.shop.example/")
_CAMPAIGNS = (
    "utm_source={}&utm_medium=email&utm_campaign={}",
    "utm_source={}&utm_medium=cpc&utm_campaign={}&utm_content={}",
    "gad_source=1&gclid={}{}",
    "gad_source=5&gbraid={}{}&size=queen",
    "wbraid={}{}",
    "fbclid={}{}{}",
    "msclkid={}{}{}",
    "ttclid={}{}",
    "irclickid={}&irgwc=1&utm_source={}",
    "variant=queen&UTM_Source={}",
    "epik={}{}",
    "affid={}&sub1={}",
)
_PLAIN = ("size={}", "variant={}&feel={}", "page=2", "q=topper", "ref={}")
_PLAIN_NAMES = frozenset({"size", "variant", "feel", "page", "q", "ref"})


class Landing(NamedTuple):
    """The first page of a visit, its referrer, and what that makes the session."""

    page_url: str
    referrer: str | None
    opening: Opening


def land(rng: Random, products: tuple[Product, ...], direct_share: float, campaign_share: float) -> Landing:
    """A landing that is direct with probability `direct_share`; of the others, `campaign_share` carry a campaign."""
    page = f"/products/{rng.choice(products).slug}" if rng.random() < 0.7 else rng.choice(_PAGES)  # noqa: PLR2004
    url = SITE + page
    draw = rng.random()
    if draw < direct_share:
        referrer = rng.choice(_OWN) if rng.random() < 0.2 else None  # noqa: PLR2004 - a share
        return Landing(_with_query(rng, url, _PLAIN, 0.3), referrer, "direct")
    if draw < direct_share + (1 - direct_share) * campaign_share:
        referrer = rng.choice((*_EXTERNAL, *_OWN)) if rng.random() < 0.4 else None  # noqa: PLR2004 - a share
        return Landing(_with_query(rng, url, _CAMPAIGNS, 1.0), referrer, "referred")
    return Landing(_with_query(rng, url, _PLAIN, 0.1), rng.choice(_EXTERNAL), "referred")


def _with_query(rng: Random, url: str, queries: tuple[str, ...], share: float) -> str:
    if rng.random() >= share:
        return url
    query = rng.choice(queries)
    return f"{url}?{query.format(*(f'{rng.getrandbits(32):08X}' for _ in range(query.count('{}'))))}"


def is_external(referrer: str | None) -> bool:
    """Whether a referrer of the shop's events is another site's."""
    return referrer in _EXTERNAL


def has_campaign(page_url: str) -> bool:
    """Whether an address of the shop's events tells of a campaign."""
    query = page_url.partition("?")[2]
    return any(part.partition("=")[0] not in _PLAIN_NAMES for part in query.split("&") if part)


def without_query(page_url: str) -> str:
    """The bare address of the page."""
    return page_url.partition("?")[0]

"""Direct or not, decided by the first event's page and referrer alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.core.attribution import Attribution, host_of, registrable_domain

PAGE = "https://www.shop.example/p"
ATTRIBUTION = Attribution(["utm_*", "gclid", "Click.ID"], ["own.test", "Pay.Example.Org."])


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://shop.example", "shop.example"),
        ("https://shop.example/", "shop.example"),
        ("https://shop.example?x", "shop.example"),
        ("https://shop.example#x", "shop.example"),
        ("HTTPS://Shop.EXAMPLE./a", "shop.example"),
        ("https://shop.example:8443/a", "shop.example"),
        ("https://shop.example:/a", "shop.example"),
        ("https://shop.example.:443", "shop.example"),
        ("https://me@shop.example/", "shop.example"),
        ("https://me:pw@shop.example:1/", "shop.example"),
        ("https://other.test@shop.example/", "shop.example"),
        ("https://a@b@shop.example/", "shop.example"),
        ("https://shop.example/@other.test", "shop.example"),
        ("https://shop.example?@other.test", "shop.example"),
        ("https://shop.example\\@other.test/", "shop.example"),
        ("android-app://com.search.app/", "com.search.app"),
        ("http://10.0.0.1:80/", "10.0.0.1"),
        ("http://[::1]/", "[::1]"),
        ("http://[2001:DB8::1]:80/", "[2001:db8::1]"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example"),
        ("https://Bücher.example/", "bücher.example"),
        ("https://localhost/", "localhost"),
        (None, None),
        ("", None),
        ("shop.example", None),
        ("/p", None),
        ("//shop.example/", None),
        ("https:/shop.example", None),
        ("https:///shop.example", None),
        ("https://", None),
        ("https://:80/", None),
        ("https://./", None),
        ("https://me@/", None),
        ("about:blank", None),
        ("mailto:me@shop.example", None),
        ("javascript:x://shop.example", None),
        ("1http://shop.example/", None),
        (" https://shop.example/", None),
    ],
)
def test_the_host_is_that_of_an_absolute_url_alone(url, host):
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("www.shop.example", "shop.example"),
        ("a.b.c.shop.example", "shop.example"),
        ("www.shop.co.uk", "shop.co.uk"),
        ("shop.co.uk", "shop.co.uk"),
        ("me.github.io", "me.github.io"),
        ("a.me.github.io", "me.github.io"),
        ("a.shop.kobe.jp", "a.shop.kobe.jp"),
        ("co.uk", "co.uk"),
        ("github.io", "github.io"),
        ("com", "com"),
        ("localhost", "localhost"),
        ("10.0.0.1", "10.0.0.1"),
        ("1.10.0.0.1", "1.10.0.0.1"),
        ("[::1]", "[::1]"),
        ("x" * 300 + ".example.com", "x" * 300 + ".example.com"),
    ],
)
def test_the_domain_is_the_one_that_is_registered_or_the_host_itself(host, domain):
    assert registrable_domain(host) == domain


@pytest.mark.parametrize(
    ("page_url", "referrer"),
    [
        (PAGE, "https://search.test/"),
        (PAGE, "https://search.test/?q=www.shop.example"),
        (PAGE, "https://shop.example.search.test/"),
        (PAGE, "https://notshop.example/"),
        (PAGE, "https://www.shop.example@search.test/"),
        (PAGE, "https://notown.test/"),
        (PAGE, "https://own.test.search.test/"),
        (PAGE, "https://example.org/"),
        (PAGE, "android-app://com.search.app/"),
        (PAGE, "https://10.0.0.1/"),
        ("https://10.0.0.1/", "https://10.0.0.2/"),
        ("https://[::1]/", "https://[::2]/"),
        ("https://a.co.uk/", "https://b.co.uk/"),
        ("https://me.github.io/", "https://you.github.io/"),
        ("https://me.github.io/", "https://github.io/"),
        ("/p", "https://www.shop.example/"),
        (None, "https://www.shop.example/"),
        ("https://localhost/", "https://local/"),
    ],
)
def test_a_referrer_of_another_registrable_domain_is_external(page_url, referrer):
    assert ATTRIBUTION.is_external(referrer, page_url)
    assert not ATTRIBUTION.is_direct(page_url, referrer)


@pytest.mark.parametrize(
    ("page_url", "referrer"),
    [
        (PAGE, None),
        (PAGE, ""),
        (PAGE, "about:blank"),
        (PAGE, "search.test"),
        (PAGE, "//search.test/"),
        (PAGE, "https:///search.test"),
        (PAGE, "/p?search.test"),
        (PAGE, "https://shop.example/"),
        (PAGE, "http://Checkout.SHOP.example.:8443/x?y#z"),
        (PAGE, "https://search.test@shop.example/"),
        (PAGE, "https://own.test/"),
        (PAGE, "https://www.OWN.test./"),
        (PAGE, "https://pay.example.org/"),
        (PAGE, "https://a.pay.example.org/"),
        (None, "https://own.test/"),
        ("https://a.shop.co.uk/", "https://b.shop.co.uk/"),
        ("https://a.me.github.io/", "https://me.github.io/"),
        ("https://10.0.0.1:80/", "https://10.0.0.1:81/"),
        ("https://[::1]:80/", "https://[::1]/"),
        ("https://localhost:3000/", "http://localhost/"),
        (None, None),
    ],
)
def test_no_referrer_or_one_of_the_same_site_or_an_own_domain_is_internal(page_url, referrer):
    assert not ATTRIBUTION.is_external(referrer, page_url)
    assert ATTRIBUTION.is_direct(page_url, referrer)


@pytest.mark.parametrize(
    "query",
    [
        "utm_source=x",
        "utm_=x",
        "utm_source",
        "UTM_Source=x",
        "gclid=1",
        "gclid=",
        "gclid",
        "GcLiD",
        "a=b&gclid=1",
        "a&&gclid=1",
        "a=b&gclid=1&c=d",
        "a=b?c&gclid=1",
        "gclid=1#top",
        "click.id=1",
        "utm%5Fsource=x",
        "UTM%5fsource=x",
        "%67clid=1",
        "a=b&%67%63%6c%69%64",
        "a=%26&gclid=1",
    ],
)
def test_a_campaign_parameter_makes_a_visit_not_direct_whatever_its_writing(query):
    assert ATTRIBUTION.has_campaign(f"{PAGE}?{query}")
    assert ATTRIBUTION.has_campaign(f"/p?{query}")
    assert not ATTRIBUTION.is_direct(f"{PAGE}?{query}", None)


@pytest.mark.parametrize(
    "page_url",
    [
        None,
        "",
        PAGE,
        f"{PAGE}?",
        f"{PAGE}?#",
        f"{PAGE}?a=b",
        f"{PAGE}?utm=x",
        f"{PAGE}?utmost=x",
        f"{PAGE}?a_utm_source=x",
        f"{PAGE}?my_gclid=1",
        f"{PAGE}?gclid2=1",
        f"{PAGE}?gclid[]=1",
        f"{PAGE}?a=gclid",
        f"{PAGE}?a=gclid=1",
        f"{PAGE}?a=utm_source=x",
        f"{PAGE}?clickXid=1",
        f"{PAGE}?a=%26gclid=1",
        f"{PAGE}?a%26gclid=1",
        f"{PAGE}?a%3Dgclid",
        f"{PAGE}?%25%36%37clid=1",
        f"{PAGE}#gclid=1",
        f"{PAGE}#?gclid=1",
        f"{PAGE}?a=b#&gclid=1",
        f"{PAGE}/gclid=1",
        f"{PAGE}&gclid=1",
    ],
)
def test_a_name_elsewhere_than_in_the_query_or_only_like_one_is_no_campaign(page_url):
    assert not ATTRIBUTION.has_campaign(page_url)
    assert ATTRIBUTION.is_direct(page_url, None)


def test_without_campaign_parameters_no_query_is_a_campaign():
    assert not Attribution([], []).has_campaign(f"{PAGE}?gclid=1&utm_source=x&=&&%67clid")


def test_own_domains_do_not_excuse_a_campaign():
    assert not ATTRIBUTION.is_direct(f"{PAGE}?gclid=1", "https://own.test/")


URLS = st.none() | st.text() | st.text(alphabet="htps:/?#@[]%&=.-\\ aZ0é\0").map("https://".__add__)


@given(URLS, URLS)
def test_no_text_raises(page_url, referrer):
    assert ATTRIBUTION.is_direct(page_url, referrer) in {True, False}


@given(URLS)
def test_a_page_is_never_external_to_itself(url):
    assert not ATTRIBUTION.is_external(url, url)


def test_what_comes_before_a_query_without_a_path_is_the_host_and_long_texts_are_not_kept():
    kept = ATTRIBUTION._leads_away_lately.cache_info().currsize
    for number in range(10):
        long = f"https://Long.example?{number}{'x' * 100_000}"
        assert host_of(long) == "long.example"
        assert ATTRIBUTION.is_external(long, PAGE)
        assert ATTRIBUTION.is_external("https://search.test/", long)
    assert ATTRIBUTION._leads_away_lately.cache_info().currsize == kept

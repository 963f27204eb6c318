"""Where webhooks may go, when they come again and what they may tell."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from circletake.domain.webhooks import (
    DEFAULT_EVENT_TYPES,
    EVENT_TYPES,
    MAX_ATTEMPTS,
    RETRY_SECONDS,
    Verdict,
    asks_to_slow_down,
    endpoint_pause,
    is_loopback_address,
    is_public_address,
    judge,
    names_loopback,
    parse_retry_after,
    seconds_until_next,
    unknown_event_types,
    url_problem,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

# Written out here a second time, from the IANA registries, so that the test doesn't agree with a slip in the rules.
PRIVATE_V4 = [
    ip_network(net)
    for net in [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    ]
]


def in_any(networks):
    """Draw addresses from these networks, edges included."""
    return st.sampled_from(networks).flatmap(
        lambda net: st.integers(int(net[0]), int(net[-1])).map(type(net[0]))
    )


@given(in_any(PRIVATE_V4))
def test_no_special_ipv4_address_passes_in_any_dress(address: IPv4Address) -> None:
    """A private IPv4 address is refused plain, mapped into IPv6, as 6to4, by NAT64 and IPv4-compatible."""
    number = int(address)
    dresses = [
        str(address),
        str(IPv6Address((0xFFFF << 32) | number)),
        str(IPv6Address((0x2002 << 112) | (number << 80) | 1)),
        str(IPv6Address((0x64FF9B << 96) | number)),
        str(IPv6Address(number)),
    ]
    assert [dress for dress in dresses if is_public_address(dress)] == []


@given(st.integers(0, 2**128 - 1).map(IPv6Address).filter(lambda ip: int(ip) >> 125 != 1))
@example(IPv6Address("::1"))
@example(IPv6Address("fe80::1"))
@example(IPv6Address("fd00:ec2::254"))
@example(IPv6Address("fec0::1"))
@example(IPv6Address("ff0e::1"))
@example(IPv6Address("64:ff9b:1::a9fe:a9fe"))
@example(IPv6Address("5f00::1"))
def test_ipv6_outside_global_unicast_passes_only_as_a_public_ipv4(address: IPv6Address) -> None:
    """Outside 2000::/3 an IPv6 address is let through only where it leads to a public IPv4 address."""
    leads_to = address.ipv4_mapped
    if int(address) >> 32 == 0x64FF9B << 64:
        leads_to = IPv4Address(int(address) & 0xFFFFFFFF)
    assert not is_public_address(str(address)) or (leads_to is not None and is_public_address(str(leads_to)))


@given(
    in_any(
        [ip_network(net) for net in ("2001::/32", "2001:2::/48", "2001:db8::/32", "2002::/16", "3fff::/20")]
    )
)
def test_special_blocks_inside_global_unicast_are_refused(address: IPv6Address) -> None:
    """Teredo, benchmarking, documentation and 6to4 space is refused although it looks global."""
    assert not is_public_address(str(address))


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.215.14", "2606:4700::6810:84e5", "::ffff:8.8.8.8", "64:ff9b::808:808", "192.0.1.1"],
)
def test_public_addresses_pass(address: str) -> None:
    """A real host on the internet can be called, by IPv4, IPv6 and through NAT64."""
    assert is_public_address(address)


@pytest.mark.parametrize(
    "address", ["168.63.129.16", "192.88.99.1", "fe80::1%eth0", "2606:4700::1%1", "host", ""]
)
def test_odd_addresses_are_not_public(address: str) -> None:
    """A cloud's platform address, a scoped address and what isn't an address are refused."""
    assert not is_public_address(address)


def test_loopback_is_only_the_machine_itself() -> None:
    """127.0.0.0/8 and ::1 are loopback; 0.0.0.0 and private addresses are not."""
    assert all(map(is_loopback_address, ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]))
    assert not any(map(is_loopback_address, ["0.0.0.0", "::", "10.0.0.1", "169.254.169.254", "localhost"]))


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.studio.example/circletake",
        "https://hooks.studio.example:443/a?b=c",
        "HTTPS://Hooks.Studio.example./",
        "https://xn--bcher-kva.example/",
        "https://93.184.215.14/",
        "https://[2606:4700::6810:84e5]/",
    ],
)
def test_ordinary_endpoints_are_accepted(url: str) -> None:
    """A public https URL on port 443 can be registered."""
    assert url_problem(url) is None


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("http://hooks.studio.example/", "https"),
        ("ftp://hooks.studio.example/", "https"),
        ("hooks.studio.example/path", "https"),
        ("https:///path", "host"),
        ("https://hooks.studio.example:8443/", "port"),
        ("https://hooks.studio.example:0/", "port"),
        ("https://hooks.studio.example:/", "host"),
        ("https://hooks.studio.example:99999/", "parsed"),
        ("https://user:secret@hooks.studio.example/", "password"),
        ("https://hooks.studio.example@10.0.0.1/", "password"),
        ("https://hooks.studio.example/#x", "fragment"),
        ("https://hooks.studio.example\\@10.0.0.1/", "backslash"),
        ("https://hooks.studio.example/a b", "spaces"),
        ("https://hooks.studio.example/\r\nhost: x", "printable"),
        ("https://bücher.example/", "xn--"),
        ("https://hooks.studio.example/" + "a" * 2048, "longer"),
        ("https://127.0.0.1/", "public internet"),
        ("https://10.1.2.3/", "public internet"),
        ("https://169.254.169.254/latest/meta-data/", "public internet"),
        ("https://0.0.0.0/", "public internet"),
        ("https://224.0.0.1/", "public internet"),
        ("https://127.0.0.1./", "public internet"),
        ("https://[::1]/", "public internet"),
        ("https://[::ffff:10.0.0.1]/", "public internet"),
        ("https://[64:ff9b::a9fe:a9fe]/", "public internet"),
        ("https://[2002:7f00:1::]/", "public internet"),
        ("https://[fd00:ec2::254]/", "public internet"),
        ("https://[fe80::1%25eth0]/", "host"),
        ("https://2130706433/", "number"),
        ("https://0x7f000001/", "number"),
        ("https://0x7f.1/", "number"),
        ("https://0177.0.0.1/", "number"),
        ("https://127.1/", "number"),
        ("https://localhost/", "full name"),
        ("https://postgres/", "full name"),
        ("https://api.cluster.local/", "full name"),
        ("https://metadata.google.internal/", "full name"),
        ("https://127.0.0.1%2f.example/", "host"),
        ("https://hooks..example/", "host"),
        ("https://" + "a" * 64 + ".example/", "host"),
    ],
)
def test_a_refused_endpoint_is_told_why(url: str, hint: str) -> None:
    """An endpoint that can't be called is refused with a sentence that names the reason."""
    problem = url_problem(url)
    assert problem is not None
    assert hint in problem
    assert problem.endswith(".")
    assert "secret" not in problem


def test_loopback_mode_adds_loopback_and_nothing_else() -> None:
    """On a developer's machine http to itself works at any port; every other rule stands."""
    ours = [
        "http://localhost:8099/hook",
        "http://127.0.0.1:5000/",
        "http://[::1]:5000/",
        "https://localhost:9/",
    ]
    assert [url for url in ours if url_problem(url, allow_loopback=True)] == []
    others = [
        "http://hooks.studio.example/",
        "https://hooks.studio.example:8443/",
        "http://10.0.0.1:8080/",
        "http://0.0.0.0:8080/",
        "http://169.254.169.254/",
        "http://localhost.evil.example:80/",
        "http://127.0.0.1.evil.example/",
        "http://127.1:8080/",
        "http://user@localhost:80/",
        "http://localhost:0/",
    ]
    assert [url for url in others if url_problem(url, allow_loopback=True) is None] == []


def test_more_ports_and_plain_http_are_opened_only_by_setting() -> None:
    """An operator may open another port or plain http, to public hosts only."""
    assert url_problem("https://hooks.studio.example:8443/", allowed_ports={443, 8443}) is None
    assert url_problem("http://hooks.studio.example/", https_only=False, allowed_ports={80, 443}) is None
    assert url_problem("http://10.0.0.1/", https_only=False, allowed_ports={80, 443}) is not None


@given(st.text(max_size=60), st.booleans())
def test_any_text_gets_an_answer(text: str, loopback: bool) -> None:
    """Whatever somebody types as a URL, the rules answer and don't fail."""
    for url in (text, f"https://{text}", f"http://{text}/", f"https://{text}.example:{text}/"):
        assert isinstance(url_problem(url, allow_loopback=loopback), str | None)
        assert names_loopback(url) in {True, False}


def test_the_schedule_is_the_published_one() -> None:
    """Without jitter or Retry-After, the waits are those of Standard Webhooks, and then it ends."""
    waits = [seconds_until_next(failed, jitter=0.5) for failed in range(1, MAX_ATTEMPTS + 1)]
    assert waits == pytest.approx([5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None])


@given(st.integers(1, MAX_ATTEMPTS - 1), st.floats(0, 1))
def test_jitter_stays_within_a_fifth(failed: int, jitter: float) -> None:
    """Jitter moves a retry by at most 20 % either way."""
    wait = seconds_until_next(failed, jitter=jitter)
    assert wait is not None
    assert 0.8 * RETRY_SECONDS[failed] - 1e-6 <= wait <= 1.2 * RETRY_SECONDS[failed] + 1e-6


@given(
    st.integers(1, MAX_ATTEMPTS - 1),
    st.floats(0, 1),
    st.floats(allow_nan=False, min_value=-1e12, max_value=1e12),
)
def test_retry_after_lengthens_within_bounds(failed: int, jitter: float, asked: float) -> None:
    """A receiver can ask for more time, up to about a day; it can't make us hammer it or wait for years."""
    wait = seconds_until_next(failed, jitter=jitter, retry_after=asked)
    plain = seconds_until_next(failed, jitter=jitter)
    assert wait is not None
    assert plain is not None
    assert plain <= wait <= 1.2 * 86_400 + 1e-6
    assert wait >= min(asked, 86_400)


@pytest.mark.parametrize(("failed", "jitter"), [(0, 0.5), (1, -0.1), (1, 1.1)])
def test_a_wrong_question_about_retries_is_refused(failed: int, jitter: float) -> None:
    """A count below one or a jitter outside 0 to 1 is a mistake in our code, not a schedule."""
    with pytest.raises(ValueError, match=r"retry|jitter"):
        seconds_until_next(failed, jitter=jitter)


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (299, Verdict.DELIVERED),
        (301, Verdict.RETRY),
        (404, Verdict.RETRY),
        (410, Verdict.DISABLE),
        (429, Verdict.RETRY),
        (500, Verdict.RETRY),
        (None, Verdict.RETRY),
    ],
)
def test_what_an_answer_means(status: int | None, verdict: Verdict) -> None:
    """2xx is delivered, 410 switches the endpoint off, a redirect or any error is tried again."""
    assert judge(status) is verdict


def test_overload_answers_slow_the_whole_endpoint() -> None:
    """429 and gateway errors ask for less traffic; an ordinary failure does not."""
    assert [status for status in (200, 404, 429, 500, 502, 503, 504, None) if asks_to_slow_down(status)] == [
        429,
        502,
        503,
        504,
    ]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("9" * 400, 86_400.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        ("Sun, 22 Nov 2026 12:01:00", 60.0),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    """Both forms of Retry-After are understood; nonsense counts as not sent."""
    assert parse_retry_after(header, now=NOW) == seconds


@given(st.text(max_size=40))
def test_any_retry_after_header_is_survived(header: str) -> None:
    """A receiver can't break a delivery with an odd header."""
    seconds = parse_retry_after(header, now=NOW)
    assert seconds is None or seconds >= 0


def test_the_default_filter_is_part_of_the_catalogue() -> None:
    """An endpoint without a filter hears of finished, held, failed and filtered work and of models that end, all known
    event types."""
    assert {
        "batch.completed",
        "generation.finished",
        "generation.held",
        "hold.opened",
        "inbox.digest",
        "model.ending",
        "take.failed",
        "take.filtered",
        "consistency_check.finished",
        "consistency_enforcement.finished",
        "golden_run.finished",
    } == DEFAULT_EVENT_TYPES
    assert unknown_event_types(DEFAULT_EVENT_TYPES) == ()
    ordinary = set(EVENT_TYPES) - {"endpoint.challenge", "endpoint.test"}
    assert unknown_event_types(["take.lost", *ordinary, "a", "a"]) == ("a", "take.lost")


@pytest.mark.parametrize("event_type", ["endpoint.challenge", "endpoint.test"])
def test_what_one_endpoint_is_told_about_itself_is_no_subscription(event_type: str) -> None:
    """A challenge or a test goes to the endpoint it is about and can't be subscribed to by another."""
    assert unknown_event_types([event_type, "take.failed"]) == (event_type,)


def test_single_failures_dont_pause_an_endpoint() -> None:
    """Four failures in a row change nothing for other deliveries; a fifth pauses the endpoint for 15 s."""
    assert [endpoint_pause(failures, slow_down=False) for failures in range(1, 6)] == [None] * 4 + [15.0]


def test_an_endpoint_that_stays_dead_is_asked_every_ten_minutes() -> None:
    """The pause doubles with every further failure and ends at ten minutes, however long it lasts."""
    pauses = [endpoint_pause(failures, slow_down=False) for failures in (6, 7, 10, 11, 12, 5_000)]
    assert pauses == [30, 60, 480, 600, 600, 600]


def test_a_request_to_slow_down_holds_for_the_whole_endpoint() -> None:
    """429 and the like pause at the first failure: 5 s, or what Retry-After says, at most an hour."""
    assert endpoint_pause(1, slow_down=True) == 5
    assert endpoint_pause(1, slow_down=True, retry_after=90) == 90
    assert endpoint_pause(1, slow_down=True, retry_after=1e9) == 3_600
    assert endpoint_pause(7, slow_down=True, retry_after=1) == 60

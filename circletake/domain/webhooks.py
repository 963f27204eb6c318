"""Webhook rules: which URLs and addresses may be called, when to try again, what may be told.

Nothing here resolves a name or opens a socket. The sender applies the address rules a second time to the address
that each connection really goes to: a name proves nothing about where it points a second later.
"""

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

# --- what may be told -----------------------------------------------------------------------------------------

EVENT_TYPES = (
    "generation.queued",
    "generation.finished",
    "generation.held",
    "batch.completed",
    "batch.paused",
    "batch.resumed",
    "batch.canceled",
    "hold.opened",
    "hold.released",
    "hold.declined",
    "hold.lifted",
    "policy.notified",
    "labour_action.began",
    "labour_action.ended",
    "take.succeeded",
    "take.failed",
    "take.filtered",
    "take.canceled",
    "take.expired",
    "take.fell_back",
    "take.circled",
    "take.uncircled",
    "take.rejected",
    "take.judged",
    "version.submitted",
    "version.status_changed",
    "inbox.digest",
    "reference.inspected",
    "consistency_check.judged",
    "consistency_check.waiting",
    "consistency_check.finished",
    "consistency_enforcement.finished",
    "golden_run.finished",
    "script_breakdown.finished",
    "shot_prompt.finished",
    "exposure.warning",
    "exposure.limit",
    "budget.soft",
    "budget.hard",
    "model.ending",
    "model_choice.changed",
    "storyboard.drawn",
    "animatic.finished",
    "consent.granted",
    "consent.declined",
    "consent.revoked",
    "consent.expiring",
    "consent.expired",
    "media.ready",
    "media.refused",
    "endpoint.challenge",
    "endpoint.disabled",
    "endpoint.test",
)

# These are sent to the one endpoint they are about, whatever it asked for.
UNFILTERED_EVENT_TYPES = frozenset({"endpoint.challenge", "endpoint.test"})

# A tool that asks for nothing special hears when there is something to look at, and when something needs a person.
DEFAULT_EVENT_TYPES = frozenset(
    {
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
    }
)


def unknown_event_types(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that nobody can subscribe to, sorted, each once."""
    return tuple(sorted(set(names).difference(EVENT_TYPES) | UNFILTERED_EVENT_TYPES.intersection(names)))


# --- when to try again ----------------------------------------------------------------------------------------

# Standard Webhooks, "Deliverability and reliability": the example schedule, ten attempts over about 76 hours.
RETRY_SECONDS = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
MAX_ATTEMPTS = len(RETRY_SECONDS)
LONGEST_WAIT_SECONDS = 86_400.0
JITTER = 0.2

_GONE = 410
_LONGEST_DELTA = 12  # digits; a longer number is not a wait anybody meant


class Verdict(Enum):
    """What an attempt's answer means for its delivery."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DISABLE = "disable"


def judge(status: int | None) -> Verdict:
    """Judge an HTTP status; None is an attempt that got no answer.

    2xx is success, 410 asks us to stop sending to this endpoint, everything else - a redirect too, it is never
    followed - is a failure (Standard Webhooks, "Delivery success and failure").
    """
    if status is None:
        return Verdict.RETRY
    if 200 <= status < 300:  # noqa: PLR2004 - the 2xx class of RFC 9110
        return Verdict.DELIVERED
    return Verdict.DISABLE if status == _GONE else Verdict.RETRY


def asks_to_slow_down(status: int | None) -> bool:
    """Say whether the endpoint as a whole, not this delivery only, should be sent less: 429, 502, 503, 504."""
    return status in {429, 502, 503, 504}


FAILURES_TO_PAUSE = 5
_FIRST_PAUSE_SECONDS = 15.0
_LONGEST_PAUSE_SECONDS = 600.0
_SLOW_DOWN_SECONDS = 5.0
_LONGEST_ASKED_PAUSE_SECONDS = 3_600.0


def endpoint_pause(failures: int, *, slow_down: bool, retry_after: float | None = None) -> float | None:
    """Return for how long nothing at all is sent to an endpoint after a failed attempt, None for no pause.

    `failures`: failed attempts in a row, of whichever deliveries, this one included. An endpoint that never answers
    would hold a sender for a whole timeout with every attempt; from the fifth failure on it gets one attempt at a
    time, after 15 s doubling to 10 min. `slow_down`: the endpoint asked for less (see `asks_to_slow_down`), for
    `retry_after` seconds if it said so, of which at most an hour is granted.
    """
    pauses = []
    if failures >= FAILURES_TO_PAUSE:
        doublings = min(failures - FAILURES_TO_PAUSE, 10)
        pauses.append(min(_FIRST_PAUSE_SECONDS * 2**doublings, _LONGEST_PAUSE_SECONDS))
    if slow_down:
        asked = _SLOW_DOWN_SECONDS if retry_after is None else max(retry_after, 0.0)
        pauses.append(min(asked, _LONGEST_ASKED_PAUSE_SECONDS))
    return max(pauses, default=None)


def seconds_until_next(failed: int, *, jitter: float, retry_after: float | None = None) -> float | None:
    """Return the wait before the next attempt, or None when the schedule is used up.

    `failed`: attempts made so far, 1 or more. `jitter`: a random number from 0 to 1 that moves the wait by up to
    20 % either way. A Retry-After (seconds) only lengthens the wait, to at most a day, and is then moved later,
    never earlier than was asked.
    """
    if failed < 1:
        raise ValueError("the first attempt is not a retry")
    if not 0 <= jitter <= 1:
        raise ValueError("jitter is a number from 0 to 1")
    if failed >= MAX_ATTEMPTS:
        return None
    planned = RETRY_SECONDS[failed] * (1 - JITTER + 2 * JITTER * jitter)
    if retry_after is None:
        return planned
    asked = min(max(retry_after, 0.0), LONGEST_WAIT_SECONDS) * (1 + JITTER * jitter)
    return max(planned, asked)


def parse_retry_after(value: str | None, *, now: datetime) -> float | None:
    """Return the seconds a Retry-After header asks for (RFC 9110 section 10.2.3), None when it says nothing usable.

    A date in the past means 0.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) <= _LONGEST_DELTA else LONGEST_WAIT_SECONDS
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)


# --- where it may go ------------------------------------------------------------------------------------------

# `is_global` alone isn't enough: it depends on the Python release, and calls several of these public.
# IANA special-purpose registries (RFC 6890 and later), except where noted.
_NEVER_V4 = tuple(
    ip_network(net)
    for net in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # not in the registry: Azure's platform answers there from inside every machine
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",  # multicast, reserved and broadcast
    )
)
_GLOBAL_UNICAST_V6 = ip_network("2000::/3")  # the only IPv6 space given to hosts on the internet
_NEVER_V6 = tuple(
    ip_network(net)
    for net in (
        "2001::/23",  # IETF assignments, Teredo among them
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address that a relay would unpack
        "3fff::/20",
    )
)
_NAT64 = ip_network("64:ff9b::/96")


def is_public_address(address: str) -> bool:
    """Say whether this IP address, as the socket will use it, belongs to a host on the public internet.

    IPv4 inside IPv6 (mapped, NAT64) is judged as the IPv4 address it leads to. What is not an address is not public.
    """
    ip = _parse(address)
    if isinstance(ip, IPv6Address):
        if ip in _NAT64:
            ip = IPv4Address(int(ip) & 0xFFFF_FFFF)
        else:
            return _is_global(ip) and ip in _GLOBAL_UNICAST_V6 and not any(ip in net for net in _NEVER_V6)
    return ip is not None and _is_global(ip) and not any(ip in net for net in _NEVER_V4)


def is_loopback_address(address: str) -> bool:
    """Say whether this IP address is the machine itself: 127.0.0.0/8, ::1, or the former mapped into IPv6."""
    ip = _parse(address)
    return ip is not None and ip.is_loopback


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, IPv6Address):
        if ip.scope_id is not None:  # only link-local addresses need a scope
            return None
        return ip.ipv4_mapped or ip
    return ip


def _is_global(ip: IPv4Address | IPv6Address) -> bool:
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


DEFAULT_PORTS = frozenset({443})
_LONGEST_URL = 2_048
_HOST = re.compile(r"(?!.{255})(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?|\[[0-9A-Fa-f:.]{2,45}\]")
_ENDS_IN_NUMBER = re.compile(
    r"(?:.*\.)?(?:[0-9]+|0[xX][0-9A-Fa-f]*)"
)  # WHATWG URL: then it is an IPv4 address
_INSIDE = (".internal", ".local", ".localhost", ".localdomain", ".lan", ".home.arpa", ".intranet", ".corp")


def names_loopback(url: str) -> bool:
    """Say whether a URL's host is this machine by its own spelling: `localhost`, 127.x.y.z or ::1."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host.rstrip(".") == "localhost" or is_loopback_address(host)


def url_problem(
    url: str,
    *,
    allow_loopback: bool = False,
    https_only: bool = True,
    allowed_ports: Collection[int] = DEFAULT_PORTS,
) -> str | None:
    """Return what is wrong with an endpoint's URL, as a sentence for its owner, or None.

    This needs no network, so a name that points somewhere private still passes here; the sender stops it. With
    `allow_loopback`, a URL that spells this machine may use http and any port, and nothing else changes.
    """
    if problem := _text_problem(url):
        return problem
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "The URL can't be parsed."
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    here = allow_loopback and names_loopback(url)
    if problem := _parts_problem(parts, url) or (None if here else _host_problem(parts)):
        return problem
    if here:
        return None if port else "Port 0 can't be called."
    return _door_problem(parts, port, https_only=https_only, allowed_ports=allowed_ports)


def _door_problem(
    parts: SplitResult, port: int, *, https_only: bool, allowed_ports: Collection[int]
) -> str | None:
    if parts.scheme == "http" and https_only:
        return "The URL must use https."
    if port not in allowed_ports:
        return f"The port must be one of: {', '.join(map(str, sorted(allowed_ports)))}."
    return None


def _text_problem(url: str) -> str | None:
    if len(url) > _LONGEST_URL:
        return f"The URL is longer than {_LONGEST_URL} characters."
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return (
            "The URL may only hold printable ASCII without spaces or backslashes; write other names as xn--."
        )
    return None


def _parts_problem(parts: SplitResult, url: str) -> str | None:
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return "The URL must start with https:// and name a host."
    if "@" in parts.netloc:
        return "The URL may not carry a user name or password; verify the signature instead."
    if "#" in url:
        return "The URL may not have a fragment: it would never be sent."
    host = parts.netloc if parts.port is None else parts.netloc.rpartition(":")[0]
    if not _HOST.fullmatch(host):
        return "The URL's host is not a host name or an IP address."
    return None


def _host_problem(parts: SplitResult) -> str | None:
    host = (parts.hostname or "").rstrip(".")
    if ":" in host or _ENDS_IN_NUMBER.fullmatch(host):
        if _parse(host) is None:
            return "The URL's host is a number; write an IP address in its usual form, or better a name."
        return None if is_public_address(host) else "The URL's address is not on the public internet."
    if "." not in host or f".{host}".endswith(_INSIDE):
        return "The URL's host must be a full name on the public internet."
    return None

"""API keys: what a mistyped one looks like, and what is stored of a good one."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from circletake.domain.api_keys import issue, parse


def test_an_issued_key_is_recognised() -> None:
    """The key that was shown leads to the id and the hash that were stored."""
    key = issue()
    assert parse(key.text) == (key.key_id, key.secret_hash)


def test_the_secret_is_not_stored() -> None:
    """What is stored is a hash of the secret part, not the secret."""
    key = issue()
    secret = key.text.split("_")[-1][:43]
    assert key.secret_hash == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(key)


@given(st.integers(min_value=0, max_value=72), st.sampled_from("0Zz_é"))
def test_one_wrong_character_is_found_without_a_database(place: int, character: str) -> None:
    """The checksum finds any single changed character."""
    text = issue().text
    if text[place] != character:
        assert parse(text[:place] + character + text[place + 1 :]) is None


@given(st.text(max_size=100))
def test_anything_else_is_no_key(text: str) -> None:
    """Strange input is refused, not an error."""
    assert parse(text) is None

"""The seal over a tenant's content at rest."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circletake.adapters.kms.seal import AesSeal
from circletake.ports import SealBroken

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
TENANT, OTHER_TENANT = UUID(int=1), UUID(int=2)
PLACE = "generations.prompt:018f"


@given(st.binary(max_size=200) | st.text(max_size=100), st.text(max_size=40))
def test_sealed_content_opens_where_it_was_closed(content: bytes | str, place: str) -> None:
    """What was closed at a place comes back byte for byte."""
    plain = content.encode() if isinstance(content, str) else content
    seal = AesSeal(KEY, TENANT)
    assert seal.open(seal.close(content, place=place), place=place) == plain


@pytest.mark.parametrize(
    ("key", "tenant", "place"),
    [
        (OTHER_KEY, TENANT, PLACE),
        (KEY, OTHER_TENANT, PLACE),
        (KEY, TENANT, "generations.prompt:018e"),
        (KEY, TENANT, PLACE + "x"),
        (KEY, TENANT, ""),
    ],
)
def test_another_key_tenant_or_place_does_not_open(key: bytes, tenant: UUID, place: str) -> None:
    """A row moved to another tenant or another column doesn't open."""
    sealed = AesSeal(KEY, TENANT).close("a storm over the harbour", place=PLACE)
    with pytest.raises(SealBroken):
        AesSeal(key, tenant).open(sealed, place=place)


@given(st.data())
def test_any_changed_bit_is_noticed(data: st.DataObject) -> None:
    """An edited row doesn't open, whichever bit was changed."""
    seal = AesSeal(KEY, TENANT)
    sealed = bytearray(seal.close("a storm over the harbour", place=PLACE))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealBroken):
        seal.open(bytes(sealed), place=PLACE)


@given(st.binary(max_size=60))
def test_what_was_never_sealed_is_refused(content: bytes) -> None:
    """Plain bytes, truncated rows and unknown formats are SealBroken, not a crash."""
    with pytest.raises(SealBroken):
        AesSeal(KEY, TENANT).open(content, place=PLACE)


def test_a_truncated_row_is_refused() -> None:
    """Every shorter piece of a sealed row is SealBroken."""
    seal = AesSeal(KEY, TENANT)
    sealed = seal.close("storm", place=PLACE)
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            seal.open(sealed[:length], place=PLACE)


def test_equal_contents_do_not_look_equal() -> None:
    """Who reads the table can't see that two prompts are the same."""
    seal = AesSeal(KEY, TENANT)
    assert len({seal.close("storm", place=PLACE) for _ in range(50)}) == 50


def test_a_keyed_hash_compares_inside_one_tenant_only() -> None:
    """Equal contents hash equal under one tenant's key, and differ under any other, so none can be guessed."""
    ours = AesSeal(KEY, TENANT).keyed_hash(b"storm")
    assert ours == AesSeal(KEY, TENANT).keyed_hash(b"storm")
    assert ours != AesSeal(KEY, TENANT).keyed_hash(b"Storm")
    assert ours != AesSeal(OTHER_KEY, TENANT).keyed_hash(b"storm")
    assert ours != AesSeal(KEY, OTHER_TENANT).keyed_hash(b"storm")


def test_rows_sealed_by_an_earlier_version_still_open() -> None:
    """The format is a promise: this row was sealed with format 1."""
    sealed = bytes.fromhex(
        "01973b5d46ffc85abd11ce565e0fcc1b4f1cfbc4a778e87ead6b4f9167a99f3b146e342868a51824240ea41f91cabd93450e4c69bb"
    )
    assert AesSeal(KEY, TENANT).open(sealed, place=PLACE) == b"a storm over the harbour"


def test_a_key_of_another_length_is_refused() -> None:
    """A short key never becomes a weak seal."""
    with pytest.raises(ValueError, match="32 bytes"):
        AesSeal(b"short", TENANT)

"""Webhook signatures, checked by other people's code: the standardwebhooks package and cryptography."""

import base64
import time
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from circletake.adapters.webhooks.signing import UnusableSecret, sign
from circletake.ports import SigningSecret
from circletake.usecases.webhook_secrets import new_ed25519_pair, new_hmac_secret

IDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=40)


def headers(message_id: str, timestamp: int, signature: str) -> dict[str, str]:
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


def ed25519_accepts(public: str, message_id: str, timestamp: int, body: bytes, signature: str) -> bool:
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    version, _, encoded = signature.partition(",")
    assert version == "v1a"
    try:
        key.verify(base64.b64decode(encoded), f"{message_id}.{timestamp}.".encode() + body)
    except InvalidSignature:
        return False
    return True


@given(IDS, st.binary(min_size=24, max_size=64), st.text(max_size=200))
def test_receivers_library_accepts_our_hmac(message_id: str, key: bytes, text: str) -> None:
    """A receiver with the standardwebhooks package accepts what we sign, for any body and secret length."""
    secret = "whsec_" + base64.b64encode(key).decode()
    body, timestamp = text.encode(), int(time.time())
    signature = sign(message_id, timestamp, body, [SigningSecret(secret)])
    assert Webhook(secret).sign(message_id, datetime.fromtimestamp(timestamp, UTC), text) == signature


def test_receivers_library_refuses_a_changed_body() -> None:
    """A body, id or time that was changed on the way is refused by the receiver's library."""
    secret, timestamp = new_hmac_secret(), int(time.time())
    signature = sign("msg_1", timestamp, b'{"a":1}', [SigningSecret(secret)])
    receiver = Webhook(secret)
    assert receiver.verify('{"a":1}', headers("msg_1", timestamp, signature)) == {"a": 1}
    for body, message_id, when in (
        ('{"a":2}', "msg_1", timestamp),
        ('{"a":1}', "msg_2", timestamp),
        ('{"a":1}', "msg_1", timestamp - 1),
    ):
        with pytest.raises(WebhookVerificationError):
            receiver.verify(body, headers(message_id, when, signature))


def test_specification_example_is_reproduced() -> None:
    """The signature of the example that Standard Webhooks libraries test with comes out the same."""
    secret = SigningSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(IDS, st.binary(max_size=200))
def test_the_public_key_verifies_ed25519(message_id: str, body: bytes) -> None:
    """A receiver that holds only the whpk_ key can verify, and notices a changed body."""
    private, public = new_ed25519_pair()
    signature = sign(message_id, 1_700_000_000, body, [SigningSecret(private)])
    assert ed25519_accepts(public, message_id, 1_700_000_000, body, signature)
    assert not ed25519_accepts(public, message_id, 1_700_000_000, body + b"x", signature)


def test_while_secrets_rotate_either_receiver_is_served() -> None:
    """With two live secrets and a key pair, old, new and asymmetric receivers all find their signature."""
    old, new = new_hmac_secret(), new_hmac_secret()
    private, public = new_ed25519_pair()
    timestamp, body = int(time.time()), b'{"type":"take.failed"}'
    signature = sign("msg_1", timestamp, body, [SigningSecret(value) for value in (old, new, private)])
    assert len(signature.split(" ")) == 3
    for secret in (old, new):
        assert Webhook(secret).verify(body.decode(), headers("msg_1", timestamp, signature))
    assert ed25519_accepts(public, "msg_1", timestamp, body, signature.split(" ")[2])
    with pytest.raises(WebhookVerificationError):
        Webhook(new_hmac_secret()).verify(body.decode(), headers("msg_1", timestamp, signature))


def test_a_64_byte_private_key_signs_the_same() -> None:
    """A key in libsodium's 64-byte form signs as its 32-byte seed does; halves that don't match are refused."""
    key = Ed25519PrivateKey.generate()
    seed, public = key.private_bytes_raw(), key.public_key().public_bytes_raw()
    short, long, wrong = (
        SigningSecret("whsk_" + base64.b64encode(raw).decode()) for raw in (seed, seed + public, seed + seed)
    )
    assert sign("m", 1, b"", [short]) == sign("m", 1, b"", [long])
    with pytest.raises(UnusableSecret):
        sign("m", 1, b"", [wrong])


@pytest.mark.parametrize(
    "value",
    [
        "",
        "hunter2-hunter2",
        "whsec_",
        "whsec_c2hvcnQ=",
        "whsec_not*base64",
        "whsec_" + "QUJD" * 30,
        "whsk_QUJD",
    ],
)
def test_an_unusable_secret_is_refused_without_being_quoted(value: str) -> None:
    """A damaged secret is a clear error whose text doesn't give the secret away."""
    secret = SigningSecret(value)
    with pytest.raises(UnusableSecret) as refused:
        sign("msg_1", 1, b"{}", [secret])
    rest = value.removeprefix("whsec_").removeprefix("whsk_")
    assert not rest or rest not in str(refused.value) + repr(secret)


def test_nothing_is_sent_unsigned() -> None:
    """Without a live secret there is no signature header, but an error."""
    with pytest.raises(UnusableSecret):
        sign("msg_1", 1, b"{}", [])


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "a\nb", "ä"])
def test_an_id_that_reads_two_ways_is_refused(message_id: str) -> None:
    """An id with a dot could shift bytes between id, time and body under one signature."""
    with pytest.raises(ValueError, match="message id"):
        sign(message_id, 1, b"{}", [SigningSecret(new_hmac_secret())])


def test_new_secrets_differ() -> None:
    """Two endpoints never get the same secret."""
    assert new_hmac_secret() != new_hmac_secret()
    assert new_ed25519_pair()[0] != new_ed25519_pair()[0]

import datetime as dt
import urllib.error
import urllib.request
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from asn1crypto import core, tsp
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from circletake.kit import clock
from services.embedded.pki import CLAIM_SIGNING, ensure_pki
from services.embedded.timestamp_authority import TimestampAuthority
from tests.integration import c2pa_studio as make


def _certificates(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def test_second_start_keeps_every_file(tmp_path: Path) -> None:
    """Starting the stack again changes neither keys nor certificates."""
    paths = ensure_pki(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert ensure_pki(tmp_path) == paths
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_nobody_else_can_read_the_files(tmp_path: Path) -> None:
    """Every file is readable by its owner alone, and the directory too."""
    ensure_pki(tmp_path / "pki")
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "pki").iterdir()} == {0o600}


def test_leaf_has_the_claim_signing_profile(tmp_path: Path) -> None:
    """The leaf lives at most 366 days and may sign claims, and says whose it is not."""
    leaf, issuing = _certificates(ensure_pki(tmp_path).chain)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= dt.timedelta(days=366)
    usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {CLAIM_SIGNING, ExtendedKeyUsageOID.EMAIL_PROTECTION}
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert usage.value.content_commitment
    assert "not a public CA" in leaf.subject.rfc4514_string()
    assert issuing.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


@pytest.mark.parametrize("days", [337, 400, 1810])
def test_leaf_is_renewed_in_time_and_keeps_its_key_and_roots(tmp_path: Path, days: int) -> None:
    """Within 30 days of its end, or long after, the leaf is issued anew under the same roots and for the same key."""
    paths = ensure_pki(tmp_path)
    roots, key, old = paths.roots.read_bytes(), paths.key.read_bytes(), _certificates(paths.chain)[0]
    later = clock.now() + dt.timedelta(days=days)
    ensure_pki(tmp_path, now=later)
    leaf, issuing = _certificates(paths.chain)
    assert leaf.serial_number != old.serial_number
    assert leaf.not_valid_after_utc - later > dt.timedelta(days=300)
    assert issuing.not_valid_after_utc > leaf.not_valid_after_utc
    assert (paths.roots.read_bytes(), paths.key.read_bytes()) == (roots, key)
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(_certificates(paths.roots)[0])


def test_leaf_is_left_alone_while_it_lasts(tmp_path: Path) -> None:
    """Half a year before its end nothing is renewed."""
    paths = ensure_pki(tmp_path)
    before = paths.chain.read_bytes()
    ensure_pki(tmp_path, now=clock.now() + dt.timedelta(days=180))
    assert paths.chain.read_bytes() == before


def test_several_processes_agree_on_one_pki(tmp_path: Path) -> None:
    """Processes that start at once end up with the same root."""
    with ProcessPoolExecutor(3) as pool:
        assert len(set(pool.map(ensure_pki, [tmp_path] * 3))) == 1
    leaf, issuing = _certificates(ensure_pki(tmp_path).chain)
    leaf.verify_directly_issued_by(issuing)


def test_lost_root_key_stops_the_start(tmp_path: Path) -> None:
    """A root without its key isn't silently replaced: everything signed so far hangs on it."""
    ensure_pki(tmp_path)
    (tmp_path / "c2pa-root-key.pem").unlink()
    with pytest.raises(ValueError, match="don't belong together"):
        ensure_pki(tmp_path)


def _query(algorithm: str = "sha256", digest: bytes = b"\1" * 32, **fields: object) -> bytes:
    content = {
        "version": "v1",
        "message_imprint": {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": digest},
        "cert_req": True,
        **fields,
    }
    return bytes(tsp.TimeStampReq(content).dump())


def test_stamp_covers_the_digest_the_nonce_and_the_time(tmp_path: Path) -> None:
    """The stamp repeats what was asked and says when, under a certificate good for stamps only."""
    authority = TimestampAuthority.load(ensure_pki(tmp_path))
    moment = clock.now().replace(microsecond=0)
    response = tsp.TimeStampResp.load(authority.answer(_query(nonce=77), moment))
    assert response["status"]["status"].native == "granted"
    signed = response["time_stamp_token"]["content"]
    info = signed["encap_content_info"]["content"].parsed
    assert info["message_imprint"]["hashed_message"].native == b"\1" * 32
    assert (info["nonce"].native, info["gen_time"].native) == (77, moment)
    leaf = x509.load_der_x509_certificate(signed["certificates"][0].chosen.dump())
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert usage.critical
    assert list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]


@pytest.mark.parametrize(
    ("query", "failure"),
    [
        (b"garbage", "bad_data_format"),
        (b"", "bad_data_format"),
        (_query("sha1", b"\1" * 20), "bad_alg"),
        (_query("sha256", b"\1" * 20), "bad_data_format"),
        (_query(req_policy="1.2.3.4"), "unaccepted_policy"),
    ],
    ids=["garbage", "empty", "sha1", "short digest", "foreign policy"],
)
def test_what_cannot_be_stamped_is_rejected_with_its_reason(
    tmp_path: Path, query: bytes, failure: str
) -> None:
    """A bad request gets a rejection that names why, as RFC 3161 asks, and no token."""
    answer = TimestampAuthority.load(ensure_pki(tmp_path)).answer(query, clock.now())
    (status,) = core.SequenceOf.load(answer, spec=tsp.PKIStatusInfo)
    assert status["status"].native == "rejection"
    assert status["fail_info"].native == {failure}


def test_server_answers_health_and_refuses_what_is_no_query(tmp_path: Path) -> None:
    """GET / is healthy; a body of another type, or a huge one, is refused."""
    with make.studio(tmp_path) as studio:
        url = str(studio.config.tsa_url)
        with urllib.request.urlopen(url, timeout=5) as health:
            assert health.status == 200
        for headers, body, status in (
            ({"Content-Type": "text/plain"}, b"x", 415),
            ({"Content-Type": "application/timestamp-query"}, bytes(20_000), 413),
        ):
            with pytest.raises(urllib.error.HTTPError) as raised:
                urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=5)
            assert raised.value.code == status
            raised.value.close()

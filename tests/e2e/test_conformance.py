"""`make conform`: what can be shown of it without an account. An offline server stands in for AWS."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.__main__ import main
from conformance.observation import Observation, Scrubber, shape_of
from conformance.report import differences
from services.embedded.s3 import ACCOUNT_ID
from tests.integration.offline_bedrock import (
    SD35,
    Server,
    Session,
    bedrock_server,
    make_role,
    root_client,
    s3_server,
)

slow = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with s3_server(tmp_path_factory.mktemp("s3")) as s3:
        options = ("--instant", "--async-seconds", "0", "--picture-processes", "1")
        with bedrock_server(s3, tmp_path_factory.mktemp("bedrock"), *options) as server:
            yield server


@pytest.fixture(scope="module")
def caller(servers: Server) -> Session:
    return servers.assume(make_role(servers.s3_endpoint, "conform"))


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, servers: Server, caller: Session) -> Server:
    """An environment in which boto3 takes the stand-in for AWS."""
    nobody(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", caller.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", caller.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", caller.token)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", servers.s3_endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", servers.s3_endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", servers.url)
    return servers


def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@slow
def test_the_offline_half_is_recorded_without_secrets(tmp_path: Path) -> None:
    """The recordings say what was answered, and name no account, key, token, bucket or picture."""
    only = ("unsigned", "presigned put", "assume role", "valid stability.sd3")
    arguments = [each for name in only for each in ("--only", name)]
    assert main(["--offline-only", "--output", str(tmp_path), *arguments]) == 0
    text = (tmp_path / "offline.json").read_text()
    seen = json.loads(text)
    statuses = {name: each["status"] for name, each in seen.items()}
    assert statuses == {
        "unsigned": 403,
        "presigned put": 200,
        "presigned put, other length": 403,
        "presigned put, other type": 403,
        "assume role": 200,
        f"valid {SD35}": 200,
    }
    assert seen["assume role"]["answer"]["Credentials"] == "<secret>"
    assert seen[f"valid {SD35}"]["answer"]["body"]["images"][0].keys() == {"sha256", "bytes"}
    for secret in (ACCOUNT_ID, "circletake-conform", "AKIA", "ASIA", "X-Amz-Signature"):
        assert secret not in text
    assert not (tmp_path / "aws.json").exists()


@slow
def test_both_halves_are_compared_and_the_bucket_goes(account: Server, tmp_path: Path) -> None:
    """Servers that answer alike are alike in the report, and what was made for it is removed."""
    arguments = ["--only", "copy if", "--only", "unknown model", "--only", "luma", "--max-usd", "12", "--yes"]
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "aws.json").read_text()).keys() >= {"copy if match", "unknown model"}
    report = (tmp_path / "report.md").read_text()
    assert report.count("| none |") == 7
    assert root_client("s3", account.s3_endpoint).list_buckets()["Buckets"] == []


@slow
def test_a_call_that_no_longer_fits_is_not_sent(account: Server, tmp_path: Path) -> None:
    """A refusal is charged as if it could be paid, and what doesn't fit beside it stays unsent."""
    before = account.last_call_id()
    arguments = ["--only", "long prompt", "--only", "valid stability.sd3", "--max-usd", "0.10", "--yes"]
    assert main([*arguments, "--output", str(tmp_path)]) == 0
    assert [row["http_status"] for row in account.calls(before) if row["operation"] == "InvokeModel"] == [400]
    assert "left out: could cost 0.080000 USD" in (tmp_path / "report.md").read_text()


def test_a_plan_above_the_limit_is_refused_before_anything_is_sent(
    account: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sure costs of what was asked for are known beforehand."""
    before = account.last_call_id()
    assert main(["--max-usd", "0.50", "--yes", "--output", str(tmp_path / "never")]) == 2
    assert "more than --max-usd 0.50" in capsys.readouterr().err
    assert account.calls(before) == []
    assert not (tmp_path / "never").exists()


def test_nothing_is_sent_without_a_yes(
    account: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that forgot to say so spends nothing."""
    monkeypatch.delenv("CI", raising=False)
    before = account.last_call_id()
    assert main(["--only", "unknown model"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert account.calls(before) == []


def test_without_credentials_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and a sentence, not a traceback."""
    nobody(monkeypatch)
    assert main(["--only", "unsigned", "--yes"]) == 2
    assert capsys.readouterr().err.startswith("No AWS credentials: name a profile")


def test_what_differs_is_told_line_by_line() -> None:
    """Status, type, text, paths and headers, but not what a proxy adds."""
    offline = Observation(200, headers=("date", "x-amzn-requestid"), shape=shape_of({"seeds": [1]}))
    aws = Observation(400, "ValidationException", "no", ("via", "date"), shape_of({"seeds": ["1"]}))
    assert differences(offline, aws) == [
        "status: offline 200, AWS 400",
        "error_type: offline None, AWS 'ValidationException'",
        "message: offline None, AWS 'no'",
        "$.seeds[]: offline number, AWS string",
        "header x-amzn-requestid: only offline",
        "header via: only AWS",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("arn:aws:iam::210987654321:role/studio-work", "arn:aws:iam::<account>:role/<role>"),
        ("The key ASIAY34FZKBOKMUTVV7A is unknown", "The key <key> is unknown"),
        (
            "https://rushes.s3.amazonaws.com/k?X-Amz-Algorithm=A&X-Amz-Signature=f0",
            "https://<bucket>.s3.amazonaws.com/k?<presigned>",
        ),
        ("async-invoke/abcdefghij12 since 2026-11-22T10:00:00Z", "async-invoke/<id> since <time>"),
    ],
)
def test_names_of_a_customer_are_taken_out(text: str, shown: str) -> None:
    """Account, role, bucket, keys, signatures and ids."""
    assert Scrubber({"role": "studio-work", "bucket": "rushes"}).text(text) == shown

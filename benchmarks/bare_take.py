"""The work a request can't do without: sign each picture, put the raw and the signed file into the bucket, sign the
contact sheet with the takes as its ingredients and put that.

Run by `benchmarks.takes` as a process of its own that reads a number of requests per line and prints what they cost.
One thread, nothing but the two libraries: the same manifests, timestamp authority, bucket and session as the product.
The sheet is drawn beforehand, nothing is decoded, nothing is read back.
"""

import io
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from c2pa import Builder, C2paSignerInfo, Context, Signer


@dataclass(frozen=True, slots=True)
class Setting:
    """What the parent hands over on the first line. `chain` and `key` are PEM files, `picture` is the model's own answer,
    `ingredients` describe the takes on the sheet."""

    picture: str
    manifest: dict[str, Any]
    sheet: str
    sheet_manifest: dict[str, Any]
    ingredients: list[dict[str, Any]]
    library: dict[str, Any]
    chain: str
    key: str
    tsa_url: str
    endpoint: str
    region: str
    bucket: str
    kms_key_arn: str
    access_key_id: str
    secret_access_key: str
    session_token: str


class BareWork:
    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._picture = Path(setting.picture).read_bytes()
        self._sheet = Path(setting.sheet).read_bytes()
        self._manifest = json.dumps(setting.manifest)
        self._sheet_manifest = json.dumps(setting.sheet_manifest)
        self._context = Context.from_dict(setting.library)
        self._signer = Signer.from_info(
            C2paSignerInfo(
                alg=b"es256",
                sign_cert=Path(setting.chain).read_bytes(),
                private_key=Path(setting.key).read_bytes(),
                ta_url=setting.tsa_url.encode(),
            )
        )
        self._s3 = boto3.Session().client(
            "s3",
            region_name=setting.region,
            endpoint_url=setting.endpoint,
            aws_access_key_id=setting.access_key_id,
            aws_secret_access_key=setting.secret_access_key,
            aws_session_token=setting.session_token,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )
        self._number = 0

    def one(self) -> None:
        """Do the work of one request."""
        takes = [self._take() for _ in self._setting.ingredients]
        sheet = Builder(self._sheet_manifest, context=self._context)
        for description, take in zip(self._setting.ingredients, takes, strict=True):
            sheet.add_ingredient(json.dumps(description), "image/jpeg", io.BytesIO(take))
        self._put(f"media/bare/{self._number}-sheet.jpg", self._sign(sheet, self._sheet))

    def _take(self) -> bytes:
        self._number += 1
        self._put(f"staging/bare/{self._number}/raw", self._picture)
        signed = self._sign(Builder(self._manifest, context=self._context), self._picture)
        self._put(f"media/bare/{self._number}.jpg", signed)
        return signed

    def _sign(self, builder: Builder, picture: bytes) -> bytes:
        signed = io.BytesIO()
        builder.sign(self._signer, "image/jpeg", io.BytesIO(picture), signed)
        return signed.getvalue()

    def _put(self, key: str, data: bytes) -> None:
        self._s3.put_object(
            Bucket=self._setting.bucket,
            Key=key,
            Body=data,
            ContentType="image/jpeg",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=self._setting.kms_key_arn,
            ChecksumAlgorithm="SHA256",
        )


def main() -> None:
    work = BareWork(Setting(**json.loads(sys.stdin.readline())))
    for line in sys.stdin:
        count = int(line)
        begun, cpu = time.monotonic(), time.process_time()
        for _ in range(count):
            work.one()
        spent = {"cpu_seconds": time.process_time() - cpu, "seconds": time.monotonic() - begun}
        print(json.dumps(spent), flush=True)


if __name__ == "__main__":
    main()

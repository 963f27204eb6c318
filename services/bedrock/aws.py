"""The two calls this server makes itself: AssumeRole as the long-lived key, PutObject as the calling session."""

import threading
from typing import Any

import boto3
from botocore.config import Config

_CONFIG = Config(
    connect_timeout=5,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 3},
    proxies={},  # the S3 server is a neighbour: a proxy of the environment would never reach it
    s3={"addressing_style": "path"},
)


class Clients:
    """Makes clients with explicit credentials; a session of boto3 must not be used by two threads at once."""

    def __init__(self, endpoint: str, region: str) -> None:
        self._endpoint = endpoint
        self._region = region
        self._lock = threading.Lock()
        self._session = boto3.Session(
            aws_access_key_id="unused",
            aws_secret_access_key="unused",  # noqa: S106 - keeps boto3 from searching the machine for credentials
            region_name=region,
        )

    def sts(self, access_key_id: str, secret: str) -> Any:
        with self._lock:
            return self._session.client(
                "sts",
                endpoint_url=self._endpoint,
                aws_access_key_id=access_key_id,
                aws_secret_access_key=secret,
                config=_CONFIG,
            )

    def s3(self, access_key_id: str, secret: str, token: str) -> Any:
        with self._lock:
            return self._session.client(
                "s3",
                endpoint_url=self._endpoint,
                aws_access_key_id=access_key_id,
                aws_secret_access_key=secret,
                aws_session_token=token,
                config=_CONFIG,
            )

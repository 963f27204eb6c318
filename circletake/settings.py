"""Every setting, nested and typed. Read only by the wiring files and migrations/env.py.

Names in the environment: `CIRCLETAKE_` + the path with `__`, for example `CIRCLETAKE_DATABASE__APP_URL`.
Secrets are `SecretStr`: they print as asterisks.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DatabaseSettings(Section):
    """One URL per role; a process is given only the roles it uses."""

    app_url: SecretStr | None = None
    dispatcher_url: SecretStr | None = None
    operator_url: SecretStr | None = None
    owner_url: SecretStr | None = None  # migrations only
    pool_size: int = 8


class RedisSettings(Section):
    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")


class AwsSettings(Section):
    """Endpoints are None on AWS itself. The key pair is this process's own long-lived or instance identity."""

    region: str = "us-west-2"
    account_id: str = "000000000000"
    s3_endpoint: str | None = None
    s3_public_endpoint: str | None = None  # what studios reach, when it differs
    sts_endpoint: str | None = None
    kms_endpoint: str | None = None
    iam_endpoint: str | None = None
    bedrock_endpoint: str | None = None
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None
    provisioner_access_key_id: str | None = None
    provisioner_secret_access_key: SecretStr | None = None
    worker_principal_arn: str | None = None
    gateway_principal_arn: str | None = None


class ApiSettings(Section):
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = "http://127.0.0.1:8000"
    admin_key: SecretStr | None = None
    requests_per_minute: int = 1200  # per API key or person
    cursor_secret: SecretStr | None = None  # signs cursors; a random one per process when left out
    max_body_bytes: int = 2_000_000
    max_verify_bytes: int = 64 * 1024 * 1024


class SignInSettings(Section):
    """People sign in with their studio's OIDC provider, over https at a public address."""

    allow_loopback: bool = False  # the embedded stack only: a provider on this machine, over http


class WorkerSettings(Section):
    """Slots bound the process, by lane."""

    generate_slots: int = 8
    async_slots: int = 8
    finish_slots: int = 3
    judge_slots: int = 2
    notify_slots: int = 10
    inspect_slots: int = 2
    isolation_slots: int = 1
    child_processes: int = 2
    child_memory_bytes: int = 4 * 1024**3
    lease_seconds: float = 30.0
    shutdown_grace_seconds: float = 30.0
    poll_seconds: float = 5.0  # between two looks at an asynchronous invocation
    # a model that answers so often in a row, or for so long, that it is busy: the production's next one is asked
    fallback_after_throttles: int = 3
    fallback_after_seconds: float = 60.0
    scratch_dir: Path | None = None
    weights_dir: Path = Path(__file__).resolve().parents[1] / ".tools" / "weights"  # `make weights`


class DispatcherSettings(Section):
    reap_every_seconds: float = 2.0
    rering_after_seconds: float = 4.0
    pick_limit: int = 100


class WebhookSettings(Section):
    allow_loopback: bool = False  # the embedded stack only
    allowed_ports: tuple[int, ...] = (443,)
    timeout_seconds: float = 20.0
    per_endpoint_concurrency: int = 5
    disable_after_hours: float = 120.0


class SigningSettings(Section):
    """Local key (`key_path`) or KMS (`kms_key_id`); `tsa_url` is an RFC 3161 authority."""

    chain_path: Path | None = None
    key_path: Path | None = None
    kms_key_id: str | None = None
    roots_path: Path | None = None
    tsa_url: str | None = None
    tsa_roots_path: Path | None = None


class CatalogueSettings(Section):
    offline: bool = False  # the models are the offline server's: outputs are algorithmicMedia
    override_path: Path | None = None
    policies_dir: Path | None = None  # policy packs beside the shipped ones


class LogSettings(Section):
    format: Literal["json", "console"] = "json"
    level: str = "INFO"


class MetricsSettings(Section):
    port: int = 0  # 0: no metrics port


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="CIRCLETAKE_", env_nested_delimiter="__", extra="ignore")

    database: DatabaseSettings = Field(default_factory=DatabaseSettings)
    redis: RedisSettings = Field(default_factory=RedisSettings)
    aws: AwsSettings = Field(default_factory=AwsSettings)
    api: ApiSettings = Field(default_factory=ApiSettings)
    sign_in: SignInSettings = Field(default_factory=SignInSettings)
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    dispatcher: DispatcherSettings = Field(default_factory=DispatcherSettings)
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings)
    signing: SigningSettings = Field(default_factory=SigningSettings)
    catalogue: CatalogueSettings = Field(default_factory=CatalogueSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)


def require(value: SecretStr | None, name: str) -> str:
    """Return a secret that this process can't start without."""
    if value is None:
        raise SystemExit(f"Set {name}: this process can't start without it.")
    return value.get_secret_value()

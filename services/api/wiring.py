"""The gateway's composition root: what every route is given, built once."""

import secrets
from dataclasses import dataclass

from fastapi import Request
from pydantic import SecretStr

from circletake.adapters.aws import AwsClients, LongLivedCredentials
from circletake.adapters.catalogue.evaluators import load_rules
from circletake.adapters.catalogue.files import load_catalogue
from circletake.adapters.catalogue.policies import load_policies
from circletake.adapters.invoices.aws_cur import AwsCostExports
from circletake.adapters.kms.vault import KmsVault
from circletake.adapters.oidc.fetching import DocumentFetcher
from circletake.adapters.oidc.key_sets import KeySets
from circletake.adapters.oidc.verifier import JoseTokenVerifier
from circletake.adapters.s3.store import S3ObjectStore, S3Place
from circletake.adapters.sts.provisioning import AwsTenantProvisioner, ProvisioningPlace
from circletake.adapters.sts.sessions import StsPlace, StsTenantSessions
from circletake.domain.consistency.rules import JudgingRules
from circletake.kit.paging import Cursors
from circletake.ports import ModelCatalogue, ObjectStore, TenantProvisioner, Vault
from circletake.ports.invoices import InvoiceReader
from circletake.ports.policies import PolicyShelf
from circletake.records.session import Database
from circletake.settings import Settings, require
from services.api.beta import BetaDoor
from services.api.keys import KeyRing
from services.api.limits import RequestLimits
from services.api.live import LiveEvents
from services.api.readiness import Readiness
from services.api.sign_in import SignedInPeople


@dataclass(slots=True)
class Gateway:
    """Everything a route may use. Nothing here calls a model, signs, decodes a picture or posts out."""

    settings: Settings
    database: Database
    operator_database: Database
    catalogue: ModelCatalogue
    rules: JudgingRules
    packs: PolicyShelf
    invoices: InvoiceReader
    vault: Vault
    store: ObjectStore
    provisioner: TenantProvisioner
    cursors: Cursors
    keys: KeyRing
    beta: BetaDoor
    people: SignedInPeople
    verifier: JoseTokenVerifier
    limits: RequestLimits
    live: LiveEvents
    admin_key: str | None
    aws: AwsClients
    readiness: Readiness

    async def close(self) -> None:
        await self.live.close()
        await self.database.close()
        await self.operator_database.close()
        self.verifier.close()
        self.aws.close()


def build_gateway(settings: Settings) -> Gateway:
    """Build everything from the settings. Connects to nothing yet."""
    app_url = require(settings.database.app_url, "CIRCLETAKE_DATABASE__APP_URL")
    operator_url = require(settings.database.operator_url, "CIRCLETAKE_DATABASE__OPERATOR_URL")
    database = Database(app_url, pool_size=settings.database.pool_size)
    operator_database = Database(operator_url, pool_size=2)
    place = settings.aws
    aws = AwsClients(threads=8)
    sessions = StsTenantSessions(
        aws,
        StsPlace(
            place.region,
            place.sts_endpoint,
            _credentials(place.access_key_id, place.secret_access_key),
        ),
        role="grants",
    )
    cursor_secret = settings.api.cursor_secret
    vault = KmsVault(aws, sessions, endpoint=place.kms_endpoint)
    verifier = JoseTokenVerifier(KeySets(DocumentFetcher(allow_loopback=settings.sign_in.allow_loopback)))
    return Gateway(
        settings=settings,
        database=database,
        operator_database=operator_database,
        catalogue=load_catalogue(settings.catalogue.override_path, offline=settings.catalogue.offline),
        rules=load_rules(),
        packs=load_policies(settings.catalogue.policies_dir),
        invoices=AwsCostExports(),
        vault=vault,
        store=S3ObjectStore(aws, sessions, S3Place(place.s3_endpoint, place.s3_public_endpoint)),
        provisioner=AwsTenantProvisioner(aws, _provisioning(settings)),
        cursors=Cursors(
            cursor_secret.get_secret_value().encode() if cursor_secret else secrets.token_bytes(32)
        ),
        keys=KeyRing(database),
        beta=BetaDoor(database),
        people=SignedInPeople(database, verifier, vault),
        verifier=verifier,
        limits=RequestLimits(settings.api.requests_per_minute),
        live=LiveEvents(app_url),
        admin_key=settings.api.admin_key.get_secret_value() if settings.api.admin_key else None,
        aws=aws,
        readiness=Readiness(
            database,
            operator_database,
            aws,
            region=place.region,
            endpoints={"s3": place.s3_endpoint, "sts": place.sts_endpoint, "kms": place.kms_endpoint},
        ),
    )


def _provisioning(settings: Settings) -> ProvisioningPlace:
    place = settings.aws
    return ProvisioningPlace(
        account_id=place.account_id,
        region=place.region,
        worker_principal_arn=place.worker_principal_arn
        or f"arn:aws:iam::{place.account_id}:role/circletake-worker",
        gateway_principal_arn=place.gateway_principal_arn
        or f"arn:aws:iam::{place.account_id}:role/circletake-gateway",
        credentials=_credentials(place.provisioner_access_key_id, place.provisioner_secret_access_key),
        s3_endpoint=place.s3_endpoint,
        kms_endpoint=place.kms_endpoint,
        iam_endpoint=place.iam_endpoint,
    )


def _credentials(key_id: str | None, secret: SecretStr | None) -> LongLivedCredentials | None:
    """None on AWS, where the machine's own role answers for the process."""
    if key_id is None or secret is None:
        return None
    return LongLivedCredentials(key_id, secret.get_secret_value())


async def gateway(request: Request) -> Gateway:
    """The dependency that hands the gateway to a route; a coroutine, or FastAPI sends each call to a thread."""
    desk: Gateway = request.app.state.gateway
    return desk

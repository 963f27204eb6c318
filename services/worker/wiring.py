"""The worker's composition root: adapters for the tools, a runner and a bell per lane."""

import os
from dataclasses import dataclass

from circletake import __version__
from circletake.adapters.aws import AwsClients, LongLivedCredentials, Timeouts
from circletake.adapters.bedrock.runner import BedrockModelRunner
from circletake.adapters.c2pa.config import KmsKey, SigningConfig
from circletake.adapters.c2pa.signer import C2paManifestSigner
from circletake.adapters.catalogue.evaluators import load_rules
from circletake.adapters.catalogue.files import load_catalogue
from circletake.adapters.catalogue.policies import load_policies
from circletake.adapters.cuts.reader import OtioCutReader
from circletake.adapters.cuts.writer import OtioTimelineWriter
from circletake.adapters.kms.vault import KmsVault
from circletake.adapters.s3.store import S3ObjectStore, S3Place
from circletake.adapters.sts.sessions import StsPlace, StsTenantSessions
from circletake.adapters.vision.bounds import Bounds
from circletake.adapters.vision.desk import VisionPictureDesk
from circletake.adapters.vision.likeness.evaluator import LikenessEvaluator
from circletake.adapters.vision.storyboards.desk import VisionStoryboardDesk
from circletake.adapters.webhooks.sender import AiohttpWebhookSender
from circletake.domain.choice.choices import Patience
from circletake.kit.children import ChildPool
from circletake.records.session import Database
from circletake.settings import Settings, require
from circletake.usecases.tools import Tools
from services.worker.scratch import Scratch


@dataclass(slots=True)
class Workshop:
    """The tools and what has to be closed after them."""

    tools: Tools
    children: tuple[ChildPool, ...]
    desk: VisionPictureDesk
    cuts: OtioCutReader
    timelines: OtioTimelineWriter
    storyboards: VisionStoryboardDesk
    sender: AiohttpWebhookSender
    clients: tuple[AwsClients, AwsClients]
    scratch: Scratch

    async def close(self) -> None:
        await self.sender.close()
        self.desk.close()
        self.cuts.close()
        self.timelines.close()
        self.storyboards.close()
        for pool in self.children:
            pool.close()
        for clients in self.clients:
            clients.close()
        await self.tools.database.close()
        self.scratch.close()


def build_workshop(settings: Settings, *, slots: int) -> Workshop:
    """Build the tools of one worker process. `slots`: steps that may run at once, over all its lanes."""
    place = settings.aws
    database = Database(
        require(settings.database.app_url, "CIRCLETAKE_DATABASE__APP_URL"),
        pool_size=max(settings.database.pool_size, min(slots, 20)),
    )
    clients = AwsClients(threads=max(8, slots))
    # a paid call holds its thread for minutes: nothing else waits behind one
    model_clients = AwsClients(threads=max(4, slots), timeouts=Timeouts(read_seconds=300, attempts=1))
    key = (
        LongLivedCredentials(place.access_key_id, place.secret_access_key.get_secret_value())
        if place.access_key_id and place.secret_access_key
        else None
    )
    sessions = StsTenantSessions(clients, StsPlace(place.region, place.sts_endpoint, key), role="work")
    children = ChildPool(settings.worker.child_processes)
    bounds = Bounds(max_child_bytes=settings.worker.child_memory_bytes)
    desk = VisionPictureDesk(children, bounds=bounds)
    # small matrices: threads of BLAS in every child would only fight over the same cores
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # noqa: TID251 - a composition root; the children inherit it
    judges = ChildPool(settings.worker.judge_slots)  # apart: each keeps the networks in its memory
    cuts = OtioCutReader()
    timelines = OtioTimelineWriter()
    storyboards = VisionStoryboardDesk(bounds=bounds)
    sender = AiohttpWebhookSender(
        allow_loopback=settings.webhooks.allow_loopback, allowed_ports=settings.webhooks.allowed_ports
    )
    scratch = Scratch(settings.worker.scratch_dir)
    tools = Tools(
        database=database,
        catalogue=load_catalogue(settings.catalogue.override_path, offline=settings.catalogue.offline),
        vault=KmsVault(clients, sessions, endpoint=place.kms_endpoint),
        store=S3ObjectStore(clients, sessions, S3Place(place.s3_endpoint)),
        runner=BedrockModelRunner(
            model_clients, sessions, account_id=place.account_id, endpoint=place.bedrock_endpoint
        ),
        desk=desk,
        signer=C2paManifestSigner(_signing(settings), children),
        sender=sender,
        evaluator=LikenessEvaluator(judges, settings.worker.weights_dir, bounds=bounds),
        rules=load_rules(),
        cuts=cuts,
        storyboards=storyboards,
        timelines=timelines,
        packs=load_policies(settings.catalogue.policies_dir),
        scratch=scratch.path,
        webhook_timeout_seconds=settings.webhooks.timeout_seconds,
        webhook_disable_after_hours=settings.webhooks.disable_after_hours,
        poll_seconds=settings.worker.poll_seconds,
        patience=Patience(settings.worker.fallback_after_throttles, settings.worker.fallback_after_seconds),
        public_url=settings.api.public_url,
    )
    return Workshop(
        tools=tools,
        children=(children, judges),
        desk=desk,
        cuts=cuts,
        timelines=timelines,
        storyboards=storyboards,
        sender=sender,
        clients=(clients, model_clients),
        scratch=scratch,
    )


def _signing(settings: Settings) -> SigningConfig:
    signing = settings.signing
    if signing.roots_path is None:
        raise SystemExit(
            "Set CIRCLETAKE_SIGNING__ROOTS_PATH: outputs that can't be verified aren't published."
        )
    kms = (
        KmsKey(signing.kms_key_id, settings.aws.region, settings.aws.kms_endpoint)
        if signing.kms_key_id
        else None
    )
    return SigningConfig(
        roots_path=signing.roots_path,
        version=__version__,
        chain_path=signing.chain_path,
        key_path=signing.key_path,
        kms=kms,
        tsa_url=signing.tsa_url,
        tsa_roots_path=signing.tsa_roots_path,
    )

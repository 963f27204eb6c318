"""What is outside the process, as Protocols. Adapters implement them; use cases take them as arguments."""

from circletake.ports.content import Seal, SealBroken, Vault
from circletake.ports.evaluators import CastMember, Evaluator, EvaluatorDown, Figure, FrameSeen, Match
from circletake.ports.messages import (
    Doorbell,
    SigningSecret,
    WebhookBlocked,
    WebhookReply,
    WebhookSender,
    WebhookUnreachable,
)
from circletake.ports.models import AsyncStatus, InvokeAnswer, ModelCatalogue, ModelRunner
from circletake.ports.people import Issuer, SignInDown, SignInPlaces, TokenRefused, TokenVerifier
from circletake.ports.pictures import (
    CompositeReport,
    ContinuityCell,
    ContinuityRow,
    LayBackFault,
    ModelInput,
    PictureDesk,
    PictureRefused,
    Probe,
    SheetTake,
)
from circletake.ports.provenance import (
    Ingredient,
    ManifestSigner,
    SignedFile,
    SigningFault,
    SignRequest,
    VerifyStatus,
    VerifyVerdict,
)
from circletake.ports.sessions import SessionCredentials, TenantSessions
from circletake.ports.storage import ObjectStore, Part, StorageFault, StoredObject, TenantProvisioner

__all__ = [
    "AsyncStatus",
    "CastMember",
    "CompositeReport",
    "ContinuityCell",
    "ContinuityRow",
    "Doorbell",
    "Evaluator",
    "EvaluatorDown",
    "Figure",
    "FrameSeen",
    "Ingredient",
    "InvokeAnswer",
    "Issuer",
    "LayBackFault",
    "ManifestSigner",
    "Match",
    "ModelCatalogue",
    "ModelInput",
    "ModelRunner",
    "ObjectStore",
    "Part",
    "PictureDesk",
    "PictureRefused",
    "Probe",
    "Seal",
    "SealBroken",
    "SessionCredentials",
    "SheetTake",
    "SignInDown",
    "SignInPlaces",
    "SignRequest",
    "SignedFile",
    "SigningFault",
    "SigningSecret",
    "StorageFault",
    "StoredObject",
    "TenantProvisioner",
    "TenantSessions",
    "TokenRefused",
    "TokenVerifier",
    "Vault",
    "VerifyStatus",
    "VerifyVerdict",
    "WebhookBlocked",
    "WebhookReply",
    "WebhookSender",
    "WebhookUnreachable",
]

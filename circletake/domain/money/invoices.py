"""A provider's invoice against our own books: which model and studio a line is of, and what the differences could be.

Amounts are the lines' own, as Decimal, added and never rounded. Days are UTC.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from circletake.domain.costs import MICRO_DOLLAR
from circletake.domain.pictures import ModelCard

NOTHING = Decimal(0)


class Apart(StrEnum):
    """Why a line isn't compared with our calls. It is listed and counts in the invoice's total all the same."""

    NOT_A_MODEL = "not_a_model"  # another service
    UNKNOWN_MODEL = "unknown_model"  # of Bedrock or of a provider, but of no model in the catalogue
    AMBIGUOUS_MODEL = "ambiguous_model"  # of two models alike
    NOT_USAGE = "not_usage"  # a tax, a credit, a refund, a discount
    UNATTRIBUTED = "unattributed"  # it names nobody who called
    UNKNOWN_TENANT = "unknown_tenant"  # whoever it names is none of our studios


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line of an export. `number`: in the file, from 1. `day` to `last_day`: when it was used."""

    number: int
    account: str
    billing_entity: str  # AWS, or AWS Marketplace
    seller: str
    product_code: str
    service: str  # the product's name, else its code
    usage_type: str
    operation: str
    description: str
    resource: str
    line_type: str
    billed_from: date | None  # the billing period's first day
    day: date
    last_day: date
    units: Decimal
    unit: str
    usd: Decimal
    principal: str = ""  # the ARN that called
    tenant_tag: str = ""


# what AWS calls charges that come from using something (user guide, "Line item details": lineItem/LineItemType)
USAGE_TYPES = frozenset({"usage", "discountedusage", "savingsplancoveredusage", ""})

# a Region at the front of a usage type (USW2-…), or of its Marketplace form (USW2-MP:USW2_…)
_CODE = r"(?:US|UG|EU|AP|CA|SA|ME|AF|IL|MX)[A-Z]{1,2}\d{1,2}"
_REGION = re.compile(rf"\b{_CODE}(?:-MP:{_CODE})?[-_]")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+(?:\.\d+)?")
_ID = re.compile(r"^(?:[a-z]{2,6}\.)?[a-z0-9]+\.(?P<name>.+?)(?:-\d{8})?(?:-v\d+)?(?::\d+)?$")
_FILLERS = frozenset({"and", "the", "of", "for", "ai", "inc", "amazon", "aws", "edition", "bedrock"})
_MOST_KEPT = 20_000
_FEWEST_WORDS = 2  # of a model's id that tell it from another


def words_of(text: str) -> frozenset[str]:
    """Return the words of a name, in whatever way it is written together: `Claude4.6Sonnet`, `stable-image-core`."""
    text = _REGION.sub(" ", text)
    return frozenset(each.lower() for each in _WORD.findall(text)) - _FILLERS


@dataclass(frozen=True, slots=True)
class _Named:
    card: ModelCard
    words: frozenset[str]


class ModelNames:
    """The catalogue's models by the words that an invoice calls them by."""

    def __init__(self, cards: Iterable[ModelCard]) -> None:
        self._cards = list(cards)
        self._named: list[_Named] = []
        self._providers = frozenset[str]()
        self._found: dict[tuple[str, ...], ModelCard | Apart] = {}
        for card in self._cards:
            provider = words_of(card.provider)
            self._providers |= provider
            found = _ID.match(card.id)
            of_id = words_of(re.sub(r"(\d)-(\d)", r"\1.\2", found["name"])) if found else frozenset[str]()
            self._named.append(_Named(card, words_of(card.name) - provider))
            if len(of_id) >= _FEWEST_WORDS:
                self._named.append(_Named(card, of_id))

    def find(self, line: InvoiceLine) -> ModelCard | Apart:
        """Return the model a line is of. The most exact name counts: `Nova 2 Lite` isn't `Nova Lite`."""
        # most lines of an export say the same as many others
        said = (
            line.product_code, line.billing_entity, line.seller, line.service, line.usage_type, line.operation,
            line.description, line.resource,
        )  # fmt: skip
        if said not in self._found:
            if len(self._found) > _MOST_KEPT:
                self._found.clear()
            self._found[said] = self._find(line)
        return self._found[said]

    def _find(self, line: InvoiceLine) -> ModelCard | Apart:
        if not self._is_of_a_model(line):
            return Apart.NOT_A_MODEL
        for card in self._cards:
            if line.resource and (line.resource == card.id or line.resource.endswith(f"/{card.id}")):
                return card
        for text in (
            f"{line.service} {line.usage_type} {line.operation}",
            f"{line.service} {line.usage_type} {line.operation} {line.description}",
        ):
            said = words_of(text)
            most = max((len(each.words) for each in self._named if each.words <= said), default=0)
            found = {
                each.card.id: each.card
                for each in self._named
                if most and len(each.words) == most and each.words <= said
            }
            if len(found) == 1:
                return next(iter(found.values()))
            if found:
                return Apart.AMBIGUOUS_MODEL
        return Apart.UNKNOWN_MODEL

    def _is_of_a_model(self, line: InvoiceLine) -> bool:
        """Bedrock's own lines, and Marketplace lines of a provider of the catalogue, under the provider's name."""
        if "bedrock" in f"{line.product_code} {line.service}".lower():
            return True
        if "marketplace" not in line.billing_entity.lower():
            return False
        return bool(self._providers & words_of(f"{line.seller} {line.service} {line.usage_type}"))


@dataclass(frozen=True, slots=True)
class Studio:
    """A studio as an invoice may name it: by its id or slug in a tag, by the role its calls are made with."""

    id: UUID
    slug: str
    role_arn: str | None


class Studios:
    def __init__(self, studios: Iterable[Studio]) -> None:
        self._by_name: dict[str, UUID] = {}
        self._by_role: dict[tuple[str, str], UUID] = {}
        for studio in studios:
            self._by_name[str(studio.id)] = self._by_name[studio.slug.lower()] = studio.id
            role = _role_of(studio.role_arn or "")
            if role is not None:
                self._by_role[role] = studio.id

    def find(self, line: InvoiceLine) -> UUID | Apart:
        """Return whose call a line is. The role that called decides; a tag may be spelt by anybody."""
        role = _role_of(line.principal)
        if role is not None and role in self._by_role:
            return self._by_role[role]
        if line.tenant_tag:
            return self._by_name.get(line.tenant_tag.strip().lower(), Apart.UNKNOWN_TENANT)
        return Apart.UNKNOWN_TENANT if line.principal else Apart.UNATTRIBUTED


_ROLE = re.compile(
    r"^arn:[a-z-]+:(?:iam::(?P<a>\d{12}):role/(?:.*/)?(?P<b>[^/]+)"
    r"|sts::(?P<c>\d{12}):assumed-role/(?P<d>[^/]+)(?:/.*)?)$"
)


def _role_of(arn: str) -> tuple[str, str] | None:
    """Return account and name of a role, given as the role or as a session of it, which names no path."""
    found = _ROLE.match(arn.strip())
    if found is None:
        return None
    return found["a"] or found["c"], found["b"] or found["d"]


@dataclass(frozen=True, slots=True)
class UnknownCall:
    """A call whose bill nobody knows. `kind`: take, judging or language."""

    id: UUID
    kind: str
    take_id: UUID | None
    at: datetime
    day: date
    estimate: Decimal


class Suggests(StrEnum):
    """What an invoice lets one think of an unknown bill. A person settles it all the same."""

    BILLED = "billed"
    NOT_BILLED = "not_billed"
    UNDECIDED = "undecided"


class Finding(StrEnum):
    AGREES = "agrees"  # the invoice shows what we charged, and of unknown calls none
    EXPLAINED = "explained"  # it shows more by just what calls of unknown bill cost
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Compared:
    """One studio's calls to one model: what the invoice shows, and what our books do."""

    invoiced: Mapping[date, Decimal] = field(default_factory=dict)
    charged: Mapping[date, Decimal] = field(default_factory=dict)
    calls: int = 0  # charged ones
    unknown: Sequence[UnknownCall] = ()

    @property
    def difference(self) -> Decimal:
        """What the invoice shows beyond what we charged; below zero it shows less."""
        return sum(self.invoiced.values(), NOTHING) - sum(self.charged.values(), NOTHING)


@dataclass(frozen=True, slots=True)
class Explanation:
    finding: Finding
    suggests: Mapping[UUID, Suggests]
    billed_calls: int | None = None  # how many of the unknown ones it must be, where it can't say which


def explain(compared: Compared) -> Explanation:
    """Say what the difference could be: none, all or some of the calls whose bill nobody knows.

    Our amounts are rounded up to a millionth for each call, so as much may be less on the invoice. Whole periods are
    looked at first: a call near midnight may stand under the next day.
    """
    slack = MICRO_DOLLAR * (compared.calls + len(compared.unknown))
    whole = _whole(compared.difference, compared.unknown, slack)
    if whole is not None:
        finding = Finding.EXPLAINED if whole is Suggests.BILLED else Finding.AGREES
        return Explanation(finding, dict.fromkeys((each.id for each in compared.unknown), whole))
    by_day = _by_day(compared, slack)
    if by_day is not None:
        return Explanation(Finding.EXPLAINED, by_day)
    undecided = dict.fromkeys((each.id for each in compared.unknown), Suggests.UNDECIDED)
    some = _how_many(compared.difference, compared.unknown, slack)
    return Explanation(Finding.EXPLAINED if some else Finding.DIFFERS, undecided, some)


def _whole(difference: Decimal, unknown: Sequence[UnknownCall], slack: Decimal) -> Suggests | None:
    if -slack <= difference <= 0:
        return Suggests.NOT_BILLED
    total = sum((each.estimate for each in unknown), NOTHING)
    return Suggests.BILLED if total and total - slack <= difference <= total else None


def _by_day(compared: Compared, slack: Decimal) -> dict[UUID, Suggests] | None:
    found: dict[UUID, Suggests] = {}
    for day in {*compared.invoiced, *compared.charged, *(each.day for each in compared.unknown)}:
        difference = compared.invoiced.get(day, NOTHING) - compared.charged.get(day, NOTHING)
        of_day = [each for each in compared.unknown if each.day == day]
        whole = _whole(difference, of_day, slack)
        if whole is None:
            return None
        found |= dict.fromkeys((each.id for each in of_day), whole)
    return found


def _how_many(difference: Decimal, unknown: Sequence[UnknownCall], slack: Decimal) -> int | None:
    """Return how many calls of one price make up the difference, or None."""
    prices = {each.estimate for each in unknown}
    if len(prices) != 1 or difference <= 0:
        return None
    [price] = prices
    count = int((difference + slack) / price)
    fits = 0 < count < len(unknown) and count * price - slack <= difference <= count * price
    return count if fits else None

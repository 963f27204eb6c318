"""Policy packs, read from YAML that people edit without code: those that are shipped, those of the operator's own
folder, and the text that a studio posts. A broken one is refused with the line, the column, the key and the reason."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import yaml

import circletake.data
from circletake.adapters.catalogue.marked import compose
from circletake.adapters.catalogue.pack_conditions import read_condition
from circletake.adapters.catalogue.pack_values import Sheet
from circletake.domain.people import Role
from circletake.domain.policy.facts import ConsultedRole, ToldRole
from circletake.domain.policy.packs import (
    RULE_OUTCOMES,
    Outcome,
    Pack,
    PackFault,
    PackRefused,
    Record,
    Requirement,
    Rule,
    Seen,
    Source,
)

MAX_RULES = 200
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DAY_OR_LESS = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")
_URL = re.compile(r"https?://[^\s]{1,500}")
_REQUIRED_ROLES: Mapping[Record, Sequence[str]] = {
    Record.CONSULTATION: [each.value for each in ConsultedRole],
    Record.DISCLOSURE: [each.value for each in ToldRole],
}
_KEPT = 64  # packs that studios wrote, parsed


def read_pack(text: bytes, *, name: str = "pack") -> Pack:
    """Read one pack. Raises PackRefused with everything that is wrong with the text."""
    node = compose(name, text)
    sheet = Sheet()
    pack = _pack(sheet, node, text)
    if sheet.faults or pack is None:
        raise PackRefused(name, sorted(sheet.faults, key=lambda each: (each.line, each.column)))
    return pack


class PackShelf:
    """PolicyShelf: the packs of files, and a bounded memory of those that studios wrote."""

    def __init__(self, shipped: Sequence[Pack]) -> None:
        self._shipped = {(pack.id, pack.version): pack for pack in shipped}
        self._own: OrderedDict[str, Pack] = OrderedDict()

    @property
    def shipped(self) -> Sequence[Pack]:
        return tuple(self._shipped.values())

    def read(self, text: bytes) -> Pack:
        return read_pack(text)

    def known(self, sha256: str) -> Pack | None:
        """Return a pack that was read before, by the hash of its text."""
        found = next((pack for pack in self._shipped.values() if pack.sha256 == sha256), None)
        if found is None and (found := self._own.get(sha256)) is not None:
            self._own.move_to_end(sha256)
        return found

    def keep(self, text: bytes) -> Pack:
        """Return the pack that this text makes, reading it at most once while it is in use. Raises PackRefused."""
        sha256 = hashlib.sha256(text).hexdigest()
        found = self.known(sha256)
        if found is None:
            found = self._own[sha256] = read_pack(text)
            if len(self._own) > _KEPT:
                self._own.popitem(last=False)
        return found


def load_policies(folder: Path | None = None, *, base: Path | None = None) -> PackShelf:
    """Read the shipped packs and those of the operator's folder. Raises PackRefused, naming the file."""
    own = base or Path(circletake.data.__file__).parent / "policies"
    found: dict[tuple[str, int], Pack] = {}
    for place in (own, folder):
        if place is None:
            continue
        if not place.is_dir():
            raise PackRefused(str(place), [PackFault(1, 1, "/", "no_folder", "there is no such folder")])
        for path in sorted(place.glob("*.yaml")):
            pack = read_pack(path.read_bytes(), name=str(path))
            if (pack.id, pack.version) in found:
                reason = f"{pack.id} version {pack.version} stands in another file already"
                raise PackRefused(str(path), [PackFault(1, 1, "/version", "duplicate", reason)])
            found[pack.id, pack.version] = pack
    return PackShelf(tuple(found.values()))


def _pack(sheet: Sheet, node: yaml.Node, text: bytes) -> Pack | None:
    keys = sheet.mapping(node, "", ["pack", "version", "dated", "title", "sources", "rules"], ["about"])
    identifier = sheet.slug(keys.get("pack"), "/pack")
    version = sheet.whole(keys.get("version"), "/version")
    dated = _day(sheet, keys.get("dated"), "/dated")
    title = sheet.text(keys.get("title"), "/title", most=200)
    about = sheet.text(keys.get("about"), "/about", most=4000)
    sources = _sources(sheet, keys["sources"]) if "sources" in keys else {}
    nodes = sheet.items(keys.get("rules"), "/rules", most=MAX_RULES)
    rules: dict[str, Rule] = {}
    for index, each in enumerate(nodes):
        rule = _rule(sheet, each, f"/rules/{index}", sources, rules)
        if rule is not None:
            rules[rule.id] = rule
    if identifier is None or version is None or dated is None or title is None:
        return None
    return Pack(
        id=identifier,
        version=version,
        dated=dated,
        title=title,
        rules=tuple(rules.values()),
        sha256=hashlib.sha256(text).hexdigest(),
        about=about or "",
        text=text,
    )


def _day(sheet: Sheet, node: yaml.Node | None, key: str) -> date | None:
    wanted = "a date as 2026-11-22"
    written = sheet.raw(node, key, _DAY, wanted)
    if node is None or written is None:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        sheet.fault(node, key, "wrong_type", f"give {wanted}: there is no such day")
        return None


def _sources(sheet: Sheet, node: yaml.Node) -> dict[str, Source | None]:
    """Every source by its name; None for one that is wrong, so that rules that name it aren't blamed."""
    found: dict[str, Source | None] = {}
    for name_node, name, value in sheet.entries(node, "/sources", "the sources by names of your own"):
        key = f"/sources/{name}"
        sheet.slug(name_node, key)
        found[name] = _source(sheet, value, key)
    return found


def _source(sheet: Sheet, node: yaml.Node, key: str) -> Source | None:
    keys = sheet.mapping(node, key, ["title", "date", "seen"], ["url", "document", "note"])
    title = sheet.text(keys.get("title"), f"{key}/title", most=300)
    wanted = "the source's date as 2025, 2025-08 or 2025-08-22"
    day = sheet.raw(keys.get("date"), f"{key}/date", _DAY_OR_LESS, wanted)
    seen = sheet.choice(keys.get("seen"), f"{key}/seen", [each.value for each in Seen], "unknown_value")
    url = sheet.raw(keys.get("url"), f"{key}/url", _URL, "an address that begins with https://")
    document = sheet.text(keys.get("document"), f"{key}/document", most=500)
    note = sheet.text(keys.get("note"), f"{key}/note", most=1000)
    if isinstance(node, yaml.MappingNode) and not {"url", "document"} & keys.keys():
        sheet.fault(node, key, "missing_key", "say where it can be read: url, or document")
    if title is None or day is None or seen is None:
        return None
    return Source(title, day, Seen(seen), url, document, note)


def _rule(
    sheet: Sheet,
    node: yaml.Node,
    key: str,
    sources: Mapping[str, Source | None],
    before: Mapping[str, Rule],
) -> Rule | None:
    keys = sheet.mapping(node, key, ["id", "says", "outcome", "when", "source"], ["requires", "released_by"])
    identifier = sheet.slug(keys.get("id"), f"{key}/id")
    if identifier in before:
        sheet.fault(keys["id"], f"{key}/id", "duplicate", f"another rule of this pack is called {identifier}")
    says = sheet.text(keys.get("says"), f"{key}/says", most=500)
    outcomes = [each.value for each in Outcome if each in RULE_OUTCOMES]
    outcome = sheet.choice(keys.get("outcome"), f"{key}/outcome", outcomes, "unknown_outcome")
    when = read_condition(sheet, keys["when"], f"{key}/when") if "when" in keys else None
    named = sheet.choice(keys.get("source"), f"{key}/source", list(sources), "unknown_source")
    requires = _requirements(sheet, keys.get("requires"), f"{key}/requires")
    roles = _releasing(sheet, keys.get("released_by"), f"{key}/released_by", outcome)
    source = sources.get(named) if named is not None else None
    if identifier is None or says is None or outcome is None or when is None or source is None:
        return None
    return Rule(identifier, says, Outcome(outcome), when, source, requires, roles)


def _requirements(sheet: Sheet, node: yaml.Node | None, key: str) -> tuple[Requirement, ...]:
    found = []
    for index, each in enumerate(sheet.items(node, key, most=20)):
        place = f"{key}/{index}"
        wanted = "a record and a role, as in consultation: director"
        for name_node, name, value in sheet.entries(each, place, wanted):
            records = [record.value for record in Record]
            if name not in records:
                reason = f"there is no record {name}; there are: {', '.join(records)}"
                sheet.fault(name_node, f"{place}/{name}", "unknown_record", reason)
                continue
            record = Record(name)
            role = sheet.choice(value, f"{place}/{name}", _REQUIRED_ROLES[record], "unknown_role")
            if role is not None:
                found.append(Requirement(record, role))
    return tuple(found)


def _releasing(sheet: Sheet, node: yaml.Node | None, key: str, outcome: str | None) -> frozenset[Role]:
    if node is None:
        return frozenset({Role.APPROVER})
    if outcome is not None and outcome != Outcome.NEEDS_APPROVAL:
        reason = f"only needs_approval is released by somebody, {outcome} is not: remove it"
        sheet.fault(node, key, "unexpected_key", reason)
    roles = [each.value for each in Role]
    nodes = sheet.items(node, key, most=len(roles))
    found = [sheet.choice(each, f"{key}/{index}", roles, "unknown_role") for index, each in enumerate(nodes)]
    return frozenset(Role(each) for each in found if each is not None)

"""Policy packs as text: what a broken one is told, and what the shipped ones and the documentation's example say."""

import re
from pathlib import Path

import pytest

from circletake.adapters.catalogue.policies import load_policies, read_pack
from circletake.domain.people import Role
from circletake.domain.policy.conditions import OPERATORS, shown
from circletake.domain.policy.facts import VOCABULARY, ConsultedRole, ToldRole
from circletake.domain.policy.packs import RULE_OUTCOMES, PackRefused, Seen

DOCS = Path(__file__).resolve().parents[2] / "docs" / "policies.md"

GOOD = """\
pack: house
version: 1
dated: 2026-11-22
title: House rules
sources:
  memo:
    title: A memo
    document: memo 4
    date: 2026-11
    seen: read
rules:
  - id: finals
    says: Finals need approval.
    outcome: needs_approval
    when:
      deliverable_stage: {is: final}
    source: memo
"""


def refused(text: str | bytes, name: str = "house.yaml") -> list[tuple[int, int, str, str]]:
    """What is wrong with a text: line, column, key, code."""
    with pytest.raises(PackRefused) as caught:
        read_pack(text if isinstance(text, bytes) else text.encode(), name=name)
    return [(fault.line, fault.column, fault.key, fault.code) for fault in caught.value.faults]


def changed(before: str, after: str) -> str:
    assert before in GOOD
    return GOOD.replace(before, after)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (changed("final}", "finale}"), (16, 31, "/rules/0/when/deliverable_stage/is", "unknown_value")),
        (changed("deliverable_stage:", "stage:"), (16, 7, "/rules/0/when/stage", "unknown_fact")),
        (
            changed("{is: final}", "{at_least: 3}"),
            (16, 27, "/rules/0/when/deliverable_stage/at_least", "unknown_operator"),
        ),
        (changed("{is: final}", "final"), (16, 26, "/rules/0/when/deliverable_stage", "wrong_type")),
        (
            changed("deliverable_stage: {is: final}", "territory: {has: NO}"),
            (16, 24, "/rules/0/when/territory/has", "wrong_type"),
        ),
        (
            changed("deliverable_stage: {is: final}", "has_plate: {is: 1}"),
            (16, 23, "/rules/0/when/has_plate/is", "wrong_type"),
        ),
        (
            changed("deliverable_stage: {is: final}", "any: []"),
            (16, 12, "/rules/0/when/any", "out_of_range"),
        ),
        (changed("needs_approval", "ask_mum"), (14, 14, "/rules/0/outcome", "unknown_outcome")),
        (changed("    source: memo\n", ""), (12, 5, "/rules/0/source", "missing_key")),
        (changed("source: memo\n", "source: meno\n"), (17, 13, "/rules/0/source", "unknown_source")),
        (changed("    seen: read\n", ""), (7, 5, "/sources/memo/seen", "missing_key")),
        (changed("    document: memo 4\n", ""), (7, 5, "/sources/memo", "missing_key")),
        (changed("says: Finals need approval.", "says: 12"), (13, 11, "/rules/0/says", "wrong_type")),
        (changed("id: finals", "ident: finals"), (12, 5, "/rules/0/ident", "unknown_key")),
        (changed("pack: house", "pack: House!"), (1, 7, "/pack", "bad_name")),
        (changed("version: 1", "version: 1.5"), (2, 10, "/version", "wrong_type")),
        (changed("2026-11-22", "2026-02-30"), (3, 8, "/dated", "wrong_type")),
        (changed("title: House rules", "title: &t House rules"), (4, 8, "/", "anchor")),
        (changed("title: House rules", "title: !!str House rules"), (4, 8, "/", "tag")),
        (changed("title: House rules", "title: House\ntitle: Rules"), (5, 1, "/title", "given_twice")),
        (GOOD + "---\na: b\n", (18, 1, "/", "second_document")),
        (GOOD + "    released_by: [boss]\n", (18, 19, "/rules/0/released_by/0", "unknown_role")),
        (
            GOOD + "    requires: [consultation: janitor]\n",
            (18, 30, "/rules/0/requires/0/consultation", "unknown_role"),
        ),
        (
            changed("needs_approval", "notify") + "    released_by: [approver]\n",
            (18, 18, "/rules/0/released_by", "unexpected_key"),
        ),
        ("[" * 50, (1, 25, "/", "too_deep")),
        ("a: [" + "1, " * 30_000 + "1]", (1, 59996, "/", "too_many")),
        ("a: 'unfinished", (1, 15, "/", "not_yaml")),
        ("", (1, 1, "/", "empty")),
        ("x" * 300_000, (1, 1, "/", "too_large")),
        (b"a: 1\nb: \xff", (2, 1, "/", "not_utf8")),
    ],
)
def test_a_broken_pack_is_refused_with_line_column_key_and_reason(
    text: str | bytes, fault: tuple[int, int, str, str]
) -> None:
    """Whoever wrote it finds the place at once."""
    assert fault in refused(text)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """One look finds all faults, in the order of the text, and a near miss is guessed."""
    text = changed("needs_approval", "needs_aproval").replace("deliverable_stage", "deliverable_stagee")
    with pytest.raises(PackRefused) as caught:
        read_pack(text.encode(), name="house.yaml")
    first, second = str(caught.value).splitlines()
    assert first.startswith("house.yaml:14:14: /rules/0/outcome: ")
    assert "is needs_approval meant?" in first
    assert second.startswith("house.yaml:16:7: /rules/0/when/deliverable_stagee: ")
    assert "is deliverable_stage meant?" in second


def test_two_rules_of_one_id_are_refused() -> None:
    """A hit names its rule, so a name stands for one rule."""
    rule = GOOD[GOOD.index("  - id") :]
    assert (18, 9, "/rules/1/id", "duplicate") in refused(GOOD + rule)


def test_a_condition_that_nests_too_deep_is_refused() -> None:
    """Every condition is answered in bounded time."""
    deep = "{not: " * 9 + "{has_plate: {is: true}}" + "}" * 9
    found = refused(changed("\n      deliverable_stage: {is: final}", " " + deep))
    assert [code for *_, code in found] == ["too_deep"]


def test_the_shipped_packs_load_and_every_rule_names_its_source() -> None:
    """What is second-hand says so in the source's note."""
    packs = load_policies().shipped
    assert {"partner-guidance", "sag-aftra-2026", "wga", "dga", "owned-source"} <= {each.id for each in packs}
    for rule in (rule for pack in packs for rule in pack.rules):
        assert rule.source.url or rule.source.document
        if rule.source.seen is Seen.SECOND_HAND:
            assert "second-hand" in (rule.source.note or "").lower(), rule.id


def test_an_operators_own_folder_stands_beside_the_shipped_packs(tmp_path: Path) -> None:
    """A pack of one's own loads without touching code; the same version twice is refused, naming the file."""
    (tmp_path / "house.yaml").write_text(GOOD)
    assert "house" in {pack.id for pack in load_policies(tmp_path).shipped}
    (tmp_path / "other.yaml").write_text(GOOD)
    with pytest.raises(PackRefused, match=r"other\.yaml:1:1: /version: house version 1"):
        load_policies(tmp_path)


def test_the_example_of_the_documentation_is_a_pack() -> None:
    """Whoever copies it has a pack that loads."""
    examples = re.findall(r"```yaml\n(pack: .*?)```", DOCS.read_text(), re.DOTALL)
    assert examples
    for example in examples:
        assert read_pack(example.encode()).rules


def test_the_documentation_lists_the_whole_vocabulary() -> None:
    """A stranger needs no other page: every fact with its values, operator, outcome and role is on it."""
    text = DOCS.read_text()
    for name, fact in VOCABULARY.items():
        row = next((line for line in text.splitlines() if line.startswith(f"| `{name}` ")), "")
        assert row, name
        assert not {value for value in fact.values or () if f"`{value}`" not in row}, name
    words = {name for operators in OPERATORS.values() for name in operators}
    words |= {*RULE_OUTCOMES, *Role, *ConsultedRole, *ToldRole, *Seen}
    assert not {word for word in words if f"`{word}`" not in text}


def test_a_condition_is_shown_as_it_could_be_written() -> None:
    """What an answer shows of a rule can be pasted into a pack."""
    when = "not: {any: [{has_plate: {is: true}}, {input_roles: {has_any: [take, plate]}}]}"
    pack = read_pack(changed("deliverable_stage: {is: final}", when).encode())
    assert shown(pack.rules[0].when) == {
        "not": {"any": [{"has_plate": {"is": True}}, {"input_roles": {"has_any": ["plate", "take"]}}]}
    }

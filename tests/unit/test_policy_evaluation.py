"""What packs say of a request: the worst rule wins, what wasn't said is neither yes nor no, and nothing is cleared."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.adapters.catalogue.policies import load_policies, read_pack
from circletake.domain.people import Role
from circletake.domain.permission.holds import HoldReason
from circletake.domain.policy.declaration import DeliverableStage, UseDeclaration
from circletake.domain.policy.evaluate import Evaluation, evaluate
from circletake.domain.policy.facts import (
    VOCABULARY,
    Facts,
    FactType,
    Form,
    every,
    from_stored,
    stored,
    worst,
)
from circletake.domain.policy.packs import Outcome, Pack

HEAD = """\
pack: house
version: 3
dated: 2026-11-22
title: House rules
sources:
  memo: {title: A memo, document: memo 4, date: 2026-11, seen: read}
rules:
"""


def pack(*rules: str) -> Pack:
    """A pack of rules `outcome | condition | more`."""
    text = HEAD
    for number, rule in enumerate(rules):
        outcome, when, *more = (part.strip() for part in rule.split("|"))
        text += f"  - id: r{number}\n    says: Because {number}.\n    outcome: {outcome}\n    when: {when}\n"
        text += "".join(f"    {each}\n" for each in more) + "    source: memo\n"
    return read_pack(text.encode())


def hits(evaluation: Evaluation) -> list[str]:
    return [hit.rule for hit in evaluation.hits]


def holds(when: str, facts: Facts) -> bool:
    return bool(evaluate([pack(f"notify | {when}")], facts).hits)


def test_the_worst_outcome_of_all_packs_wins() -> None:
    """Every hit is told; a mild rule takes nothing back from a strict one."""
    first = pack("prohibited | {has_plate: {is: false}}", "notify | always")
    second = pack("needs_approval | {kind: {in: [cleanup, element]}}", "notify | {has_plate: {is: true}}")
    found = evaluate([first, second], Facts(kind="cleanup", has_plate=False))
    assert (found.outcome, hits(found)) == (Outcome.PROHIBITED, ["r0", "r1", "r0"])
    assert [each.name for each in found.of(Outcome.PROHIBITED)] == ["house@3/r0"]


def test_without_a_hit_nothing_is_cleared() -> None:
    """The best answer says only that no rule hit."""
    assert evaluate([pack("prohibited | {has_plate: {is: true}}")], Facts()).outcome == "no_rule_hit"
    assert {"clear", "approved", "allowed"}.isdisjoint(Outcome)


def test_what_was_not_said_is_neither_yes_nor_no() -> None:
    """A comparison with it doesn't hold; `said: false` asks for it."""
    unsaid, no = Facts(), Facts(third_party_ip=False)
    assert not holds("{third_party_ip: {is: true}}", unsaid)
    assert not holds("{third_party_ip: {is: false}}", unsaid)
    assert holds("{third_party_ip: {said: false}}", unsaid)
    assert holds("{not: {third_party_ip: {is: true}}}", unsaid)
    assert holds("{third_party_ip: {is: false}}", no)
    assert not holds("{third_party_ip: {said: false}}", no)


def test_sets_of_words_are_compared_as_sets() -> None:
    """has, has_any and only say what they say; a set without words has nothing, and only what is allowed."""
    facts = Facts(rights_bases=frozenset({"owned", "unknown"}))
    assert holds("{rights_bases: {has: unknown}}", facts)
    assert holds("{rights_bases: {has_any: [licensed, owned]}}", facts)
    assert not holds("{rights_bases: {only: [owned, licensed]}}", facts)
    assert holds("{rights_bases: {only: [owned]}}", Facts(rights_bases=frozenset()))
    assert not holds("{rights_bases: {has_any: [owned]}}", Facts(rights_bases=frozenset()))


def test_every_line_of_a_condition_has_to_hold() -> None:
    """Facts beside each other, and all and any inside each other, mean what they say."""
    when = "{kind: {is: element}, any: [{has_plate: {is: true}}, {all: [{prompt_given: {is: true}}]}]}"
    assert holds(when, Facts(kind="element", prompt_given=True))
    assert not holds(when, Facts(kind="element"))
    assert not holds(when, Facts(kind="cleanup", has_plate=True))


def test_a_required_record_keeps_its_rule_quiet() -> None:
    """The rule hits until everything it requires is on record, and says what is missing."""
    rule = "needs_approval | {creative_element: {is: true}} | requires: [consultation: director, disclosure: writer]"
    none = evaluate([pack(rule)], Facts(creative_element=True))
    assert [str(each) for each in none.hits[0].requires] == ["consultation(director)", "disclosure(writer)"]
    one = Facts(creative_element=True, consultations=frozenset({"director", "editor"}))
    assert [str(each) for each in evaluate([pack(rule)], one).hits[0].requires] == ["disclosure(writer)"]
    both = Facts(
        creative_element=True, consultations=frozenset({"director"}), disclosed_to=frozenset({"writer"})
    )
    assert evaluate([pack(rule)], both).outcome is Outcome.NO_RULE_HIT


def test_rules_of_different_people_make_holds_that_each_release_apart() -> None:
    """An approver's release doesn't stand for the rights clearance manager's."""
    found = evaluate(
        [
            pack(
                "needs_approval | always",
                "needs_approval | always | released_by: [rights_clearance_manager]",
                "needs_approval | always",
                "notify | always",
            )
        ],
        Facts(),
    )
    first, second = found.new_holds()
    assert [line.rule for line in first.lines] == ["house@3/r0", "house@3/r2"]
    assert (first.reason, first.roles) == (HoldReason.AWAITING_APPROVAL, {Role.APPROVER})
    assert second.roles == {Role.RIGHTS_CLEARANCE_MANAGER}


def _values(fact: FactType) -> st.SearchStrategy[object]:
    words = st.sampled_from(sorted(fact.values)) if fact.values else st.sampled_from(["a", "b"])
    known: st.SearchStrategy[object] = {
        Form.FLAG: st.booleans(),
        Form.WORD: words,
        Form.WORDS: st.frozensets(words, max_size=3),
        Form.NUMBER: st.floats(0, 1),
    }[fact.form]
    return st.none() | known


FACTS = st.fixed_dictionaries({name: _values(fact) for name, fact in VOCABULARY.items()}).map(
    lambda values: Facts(**values)  # type: ignore[arg-type]
)
SHIPPED = load_policies().shipped


@settings(max_examples=60, deadline=None)
@given(facts=FACTS, count=st.integers(0, len(SHIPPED)))
def test_a_pack_more_never_makes_the_answer_milder(facts: Facts, count: int) -> None:
    """Rules may hold, never release; whatever the facts are, every rule has an answer."""
    some, every = evaluate(SHIPPED[:count], facts), evaluate(SHIPPED, facts)
    assert every.outcome.weight >= some.outcome.weight
    assert set(hits(some)) <= set(hits(every))


@settings(max_examples=30, deadline=None)
@given(facts=FACTS)
def test_frozen_facts_are_read_as_they_were(facts: Facts) -> None:
    """What was looked at can be looked at again, years later."""
    document = json.loads(json.dumps(stored(facts)))
    assert from_stored(document) == facts
    assert from_stored({**document, "a_fact_of_old": True}) == facts


def test_several_models_are_as_their_worst() -> None:
    """One model that trains is enough; one whose terms are unknown leaves it open."""
    assert (worst([False, True, None]), worst([False, None]), worst([False, False])) == (True, None, False)
    assert (every([True, None]), every([True, False]), every([True])) == (None, False, True)


def _shipped(name: str, facts: Facts) -> tuple[str, set[str]]:
    found = evaluate([each for each in SHIPPED if each.id == name], facts)
    return found.outcome.value, set(hits(found))


def test_the_partners_pack_asks_for_what_its_guidance_asks() -> None:
    """Temp work without likeness, data or other people's material is told of; finals need approval; so does silence."""
    answered = {
        "involves_talent_likeness": False,
        "involves_personal_data": False,
        "third_party_ip": False,
        "model_trains_on_inputs": False,
        "models": frozenset({"m"}),
    }
    temp = Facts(deliverable_stage="temp", **answered)
    assert _shipped("partner-guidance", temp) == ("notify", {"share-the-use"})
    final = Facts(deliverable_stage="final", **answered)
    assert _shipped("partner-guidance", final) == ("needs_approval", {"share-the-use", "final-deliverable"})
    assert _shipped("partner-guidance", Facts())[1] == {"share-the-use", "unsure"}
    trains = Facts(**{**answered, "model_trains_on_inputs": True}, deliverable_stage="temp")
    assert _shipped("partner-guidance", trains)[0] == "prohibited"


def test_a_synthetic_performer_is_final_only_after_bargaining() -> None:
    """Notice alone isn't enough; while it is temporary, somebody is told."""
    final = {"synthetic_performer": True, "deliverable_stage": "final"}
    assert _shipped("sag-aftra-2026", Facts(**final, synthetic_notice="none"))[0] == "prohibited"
    assert _shipped("sag-aftra-2026", Facts(**final, synthetic_notice="bargaining"))[0] == "prohibited"
    assert (
        _shipped("sag-aftra-2026", Facts(**final, synthetic_notice="in_arbitration"))[0] == "needs_approval"
    )
    assert _shipped("sag-aftra-2026", Facts(**final, synthetic_notice="agreed"))[0] == "no_rule_hit"
    temp = Facts(synthetic_performer=True, deliverable_stage="temp", synthetic_notice="none")
    assert _shipped("sag-aftra-2026", temp)[0] == "notify"


def test_a_declaration_is_read_as_it_was_stored() -> None:
    """What wasn't said isn't stored, and comes back as not said."""
    said = UseDeclaration(
        deliverable_stage=DeliverableStage.FINAL, could_mislead=False, media=("theatrical",)
    )
    assert said.stored() == {
        "deliverable_stage": "final",
        "could_mislead": False,
        "media": ["theatrical"],
    }
    assert UseDeclaration.of(said.stored()) == said

"""What an enforcement does next, and that it never passes a cap."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circletake.domain.consistency.enforcing import (
    Attempt,
    Limits,
    Move,
    OnNeedsHuman,
    Outcome,
    Stop,
    StopReason,
    Wait,
    best_of,
    next_move,
    spent,
)
from circletake.domain.consistency.ladders import Rung, Step, ladder
from circletake.domain.consistency.words import MISMATCH, Reason, Verdict
from circletake.domain.kinds import Kind
from tests.unit.consistency_cast import FACE, HAIR, WARDROBE
from tests.unit.model_requests import catalogue

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CENTS = Decimal("0.08")


def step(rung, model="sd", cost="0.08"):
    return Step(Rung(rung), model, Kind.CONCEPT_ART, Decimal(cost))


SEED, I2I, INPAINT = step("new_seed"), step("image_to_image"), step("inpaint_region", "paint")
OTHER = step("other_model", "ultra", "0.14")
ALL = (SEED, I2I, INPAINT, OTHER)


def failed(aspect=FACE, p=0.01, by=None, name="t", cost=CENTS):
    return Attempt(
        name,
        by,
        Outcome.JUDGED,
        cost,
        Verdict.FAIL,
        (MISMATCH[aspect],),
        {aspect: p},
        (aspect,),
    )


def judged(verdict, *reasons, by=None, name="t", p=0.9, cost=CENTS):
    return Attempt(name, by, Outcome.JUDGED, cost, verdict, reasons, {FACE: p})


def flying(by=SEED, cost=CENTS):
    return Attempt("t", by, Outcome.IN_FLIGHT, cost)


def move(attempts, steps=ALL, *, in_order=False, **limits):
    return next_move(attempts, steps, Limits(**{"max_attempts": 20, **limits}), NOW, in_order=in_order)


def test_a_pass_ends_it():
    """The first take that passes is the answer; nothing more is bought."""
    answer = move([failed(), judged(Verdict.PASS, name="good")])
    assert answer == Stop(StopReason.PASSED, "good")


def test_what_a_person_must_decide_ends_in_review():
    """By default doubt isn't paid away; `retry` goes on."""
    doubt = judged(Verdict.NEEDS_HUMAN, Reason.NEAR_THRESHOLD, p=0.4)
    assert move([doubt]).why is StopReason.NEEDS_HUMAN
    assert isinstance(move([doubt], on_needs_human=OnNeedsHuman.RETRY), Move)


@pytest.mark.parametrize(
    ("aspect", "rung", "region"),
    [(FACE, I2I, ()), (HAIR, INPAINT, (HAIR,)), (WARDROBE, INPAINT, (WARDROBE,))],
)
def test_the_rung_fits_what_broke(aspect, rung, region):
    """An identity is fetched from an approved take; hair and wardrobe are repainted where they failed."""
    found = move([failed(aspect)])
    assert (found.step, found.region, found.because) == (rung, region, (MISMATCH[aspect],))


def test_a_written_strategy_is_climbed_in_its_order():
    """Somebody who lists the rungs gets them in that order."""
    assert move([failed()], (SEED, I2I), in_order=True).step is SEED


def test_seeds_that_bring_nothing_are_not_burnt():
    """After two seeds without improvement the next rung is climbed."""
    tried = [failed(), failed(by=SEED), failed(by=SEED)]
    assert move(tried[:2], (SEED, I2I), in_order=True).step is SEED
    assert move(tried, (SEED, I2I), in_order=True).step is I2I


def test_a_rung_that_helps_is_used_again():
    """What brought the face nearer may bring it all the way."""
    tried = [failed(p=0.001), failed(p=0.02, by=I2I), failed(p=0.1, by=I2I)]
    assert move(tried).step is I2I


def test_it_gives_up_when_every_rung_left_it_unchanged():
    """Nothing served changes the wardrobe: stop, and say so, long before attempts and money are used up."""
    tried = [failed(WARDROBE), *(failed(WARDROBE, by=each) for each in (INPAINT, I2I, SEED, SEED, OTHER))]
    answer = move(tried)
    assert answer.why is StopReason.NO_RUNG_CAN_HELP
    assert "wardrobe" in answer.detail


def test_a_face_too_small_by_framing_is_not_bought_again():
    """No new picture of a wide shot has larger faces: stop at once."""
    answer = move([judged(Verdict.NOT_ASSESSABLE, Reason.FACE_TOO_SMALL)])
    assert answer.why is StopReason.NO_RUNG_CAN_HELP
    assert "framing" in answer.detail


def test_a_turned_head_gets_another_chance():
    """A new picture may show the face; if it doesn't, twice, it ends."""
    hidden = judged(Verdict.NOT_ASSESSABLE, Reason.TURNED_AWAY, p=0.5)
    assert move([hidden], (SEED,)).step is SEED
    again = judged(Verdict.NOT_ASSESSABLE, Reason.TURNED_AWAY, by=SEED, p=0.5)
    assert move([hidden, again, again], (SEED,)).why is StopReason.NO_RUNG_CAN_HELP


def test_a_filter_is_met_with_another_model():
    """What one model's filter refuses, another model may make."""
    filtered = Attempt("t", None, Outcome.FILTERED, Decimal(0))
    assert move([filtered]).step is OTHER


def test_nothing_starts_while_something_may_still_pass():
    """A take in flight is waited for, also past the deadline: it is paid for."""
    assert move([failed(), flying()]) == Wait(1)
    assert move([failed(), flying()], deadline=NOW - timedelta(hours=1)) == Wait(1)


def test_no_attempt_starts_after_the_deadline():
    """At the deadline it ends with the best there is."""
    answer = move([failed(name="best")], deadline=NOW)
    assert answer == Stop(StopReason.DEADLINE, "best")
    assert isinstance(move([failed()], deadline=NOW + timedelta(seconds=1)), Move)


def test_attempts_are_counted_all():
    """Failed ones count as well."""
    lost = Attempt("t", SEED, Outcome.FAILED, Decimal(0))
    assert move([lost, lost], max_attempts=2).why is StopReason.ATTEMPTS_USED_UP


def test_a_bill_nobody_knows_counts_as_spent():
    """What may still be billed is money gone, until somebody knows."""
    unknown = Attempt("t", SEED, Outcome.FAILED, CENTS)
    assert spent([unknown, failed()]) == Decimal("0.16")
    assert move([unknown, failed()], max_cost=Decimal("0.20")).why is StopReason.COST_CAP
    assert isinstance(move([unknown, failed()], max_cost=Decimal("0.24")), Move)


def test_a_cheaper_rung_is_taken_when_the_best_is_too_dear():
    """The cap may still allow another rung that can help."""
    dear = step("image_to_image", cost="5.00")
    assert move([failed()], (dear, SEED), max_cost=Decimal("0.20")).step is SEED


def test_the_best_take_is_what_a_person_would_pick():
    """Passed before doubtful before unseen before failed; among the failed the nearest, then the cheapest."""
    doubtful = judged(Verdict.NEEDS_HUMAN, name="doubtful", p=0.3)
    unseen = judged(Verdict.NOT_ASSESSABLE, name="unseen")
    near, far = failed(p=0.15, name="near"), failed(p=0.001, name="far")
    assert best_of([far, near, unseen, doubtful]).take == "doubtful"
    assert best_of([far, near, unseen]).take == "unseen"
    assert best_of([far, near]).take == "near"
    assert best_of([failed(cost=Decimal(2), name="dear"), failed(name="cheap")]).take == "cheap"
    assert best_of([flying()]) is None


ANSWERS = st.fixed_dictionaries(
    {
        "outcome": st.sampled_from([Outcome.JUDGED] * 4 + [Outcome.FAILED, Outcome.FILTERED]),
        "verdict": st.sampled_from([Verdict.FAIL] * 3 + [Verdict.NOT_ASSESSABLE, Verdict.NEEDS_HUMAN]),
        "reasons": st.lists(st.sampled_from(Reason), max_size=3),
        "p": st.floats(0.0, 1.0),
        "billed": st.sampled_from(["true", "false", "unknown"]),
        "finish_first": st.booleans(),
    }
)


@settings(max_examples=200)
@given(
    data=st.data(),
    rungs=st.lists(
        st.tuples(st.sampled_from(Rung), st.sampled_from(["a", "b", "c"]), st.integers(1, 40)),
        max_size=6,
        unique_by=lambda rung: rung[:2],
    ),
    max_attempts=st.integers(1, 8),
    cap=st.one_of(st.none(), st.integers(0, 200)),
    parallel=st.integers(1, 3),
    in_order=st.booleans(),
)
def test_no_order_of_answers_passes_a_cap(data, rungs, max_attempts, cap, parallel, in_order):
    """Whatever comes back, in whatever order, billed or not: attempts and cost stay below their caps, and it ends."""
    steps = [Step(rung, model, Kind.CONCEPT_ART, Decimal(cents) / 100) for rung, model, cents in rungs]
    limits = Limits(
        max_attempts,
        None if cap is None else Decimal(cap) / 100,
        on_needs_human=data.draw(st.sampled_from(OnNeedsHuman)),
        parallel=parallel,
    )
    attempts: list[Attempt] = []
    for _ in range(4 * max_attempts + 4):
        answer = next_move(attempts, steps, limits, NOW, in_order=in_order)
        if isinstance(answer, Stop):
            break
        flying_at = [at for at, each in enumerate(attempts) if each.outcome is Outcome.IN_FLIGHT]
        if isinstance(answer, Move):
            assert answer.step in steps
            attempts.append(Attempt(str(len(attempts)), answer.step, Outcome.IN_FLIGHT, answer.step.cost))
        else:
            assert flying_at, "waiting for nothing never ends"
            at = data.draw(st.sampled_from(flying_at))
            said = data.draw(ANSWERS)
            attempts[at] = Attempt(
                attempts[at].take,
                attempts[at].step,
                said["outcome"],
                Decimal(0) if said["billed"] == "false" else attempts[at].at_most,
                said["verdict"] if said["outcome"] is Outcome.JUDGED else None,
                tuple(said["reasons"]),
                {FACE: said["p"]},
            )
        assert len(attempts) <= max_attempts
        assert limits.max_cost is None or spent(attempts) <= limits.max_cost
    else:
        pytest.fail("it never ended")
    assert all(each.outcome is not Outcome.IN_FLIGHT for each in attempts)


def test_rungs_nobody_serves_are_said_to_be_unsupported():
    """Of the live models each rung that is really served is a step with its price, the others say why not."""
    cards = {card.id: card for card in catalogue().all() if card.lifecycle != "eol"}
    sd = cards["stability.sd3-5-large-v1:0"]
    costs = {(card.id, kind): Decimal("0.1") for card in cards.values() for kind in card.kinds}
    found = ladder(Kind.CONCEPT_ART, sd, list(cards.values()), costs, has_approved=True)
    served = {each.rung for each in found.steps}
    assert {Rung.NEW_SEED, Rung.IMAGE_TO_IMAGE, Rung.INPAINT_REGION} <= served
    assert Rung.KEYFRAME in {each.rung for each in found.unsupported}
    assert served.isdisjoint({each.rung for each in found.unsupported})
    assert all(each.kind is Kind.ELEMENT for each in found.steps if each.rung is Rung.INPAINT_REGION)
    assert all(each.why for each in found.unsupported)


def test_without_an_approved_picture_nothing_can_start_from_one():
    """Image-to-image and keyframe need something approved."""
    ray = next(card for card in catalogue().all() if card.id == "luma.ray-v2:0")
    costs = {(ray.id, Kind.PREVIS_SHOT): Decimal(1)}
    for approved in (True, False):
        found = ladder(Kind.PREVIS_SHOT, ray, [], costs, has_approved=approved, strategy=(Rung.KEYFRAME,))
        assert bool(found.steps) is approved


def test_a_model_without_a_price_is_never_asked():
    """What can't be quoted can't be capped."""
    ray = next(card for card in catalogue().all() if card.id == "luma.ray-v2:0")
    found = ladder(Kind.PREVIS_SHOT, ray, [], {}, has_approved=True)
    assert found.steps == ()
    assert Rung.NEW_SEED in {each.rung for each in found.unsupported}


def test_a_step_comes_back_as_it_was_stored():
    """The ladder of an enforcement is kept for the night."""
    assert Step.from_json(OTHER.as_json()) == OTHER


@pytest.mark.parametrize("wrong", [{"max_attempts": 0}, {"max_attempts": 1, "max_cost": Decimal(-1)}])
def test_limits_that_limit_nothing_are_refused(wrong):
    """At least one attempt, and no negative money."""
    with pytest.raises(ValueError, match=r"attempt|cap"):
        Limits(**wrong)


def made(rung, odds, dice):
    """Draw a take of a rung that passes with these odds; one that fails is somewhere below the threshold."""
    if dice.random() < odds.get(rung, 0.0):
        return judged(Verdict.PASS, by=rung)
    return failed(p=10 ** dice.uniform(-4, -0.8), by=rung)


def enforced(odds, steps, dice, *, blind=False):
    """Run one enforcement to its end; `blind` only ever draws another seed. Return (passed, spent)."""
    attempts = [made(None, {None: odds.get(SEED, 0.0)}, dice)]
    while True:
        answer = move(attempts, steps, max_attempts=10)
        if blind:
            over = attempts[-1].verdict is Verdict.PASS or len(attempts) == 10
            answer = Stop(StopReason.PASSED, None) if over else Move(SEED)
        if isinstance(answer, Stop):
            return attempts[-1].verdict is Verdict.PASS, spent(attempts)
        attempts.append(made(answer.step, odds, dice))


def test_a_rung_that_cures_costs_less_than_blind_seeds():
    """Where starting from an approved take cures the face, the ladder passes more often for less money."""
    odds = {SEED: 0.15, I2I: 0.85, INPAINT: 0.15, OTHER: 0.15}
    runs = {
        blind: [enforced(odds, ALL, random.Random(at), blind=blind) for at in range(300)]
        for blind in (False, True)
    }
    passed = {blind: sum(each for each, _ in found) for blind, found in runs.items()}
    cost = {blind: sum(usd for _, usd in found) for blind, found in runs.items()}
    assert passed[False] > passed[True]
    assert cost[False] < cost[True] / 2


def test_where_nothing_cures_it_gives_up_early():
    """A drift no rung can cure ends well before ten attempts are paid."""
    costs = [enforced({}, ALL, random.Random(at))[1] for at in range(300)]
    assert sum(costs) / 300 < Decimal("0.60")

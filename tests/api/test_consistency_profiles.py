"""Consistency profiles over HTTP: how strictly a production judges, and what it learns from its own choices."""

import random
import secrets
from decimal import Decimal
from math import log
from uuid import UUID

import pytest

from circletake.domain.consistency.calibration import sigmoid
from circletake.kit import clock
from circletake.kit.ids import new_id
from circletake.records.consistency import Judgement
from circletake.records.generations import Generation, Take
from circletake.records.media import MediaFile
from circletake.records.session import Database
from tests.api.test_characters import character, look

NOWHERE = "0190a5b0-0000-7000-8000-000000000000"
# Where right and wrong weigh the same, when people decide at log-odds 2 with slope 1.5 and a third of all is right.
WEIGHED = 2 - log(2) / 1.5


@pytest.fixture
async def production(studio):
    return await studio.production()


async def profile(studio, production, **body):
    made = await studio.post(f"/v1/productions/{production['id']}/consistency-profiles", body)
    assert made.status == 201, made.body
    return made.json


async def test_the_shipped_profile_says_where_its_numbers_come_from(studio):
    """It is provisional, and every calibration names its source."""
    shipped = (await studio.get("/v1/consistency-profiles/default")).json
    assert shipped["provisional"] is True
    assert shipped["profile"]["thresholds"]["face"]["fail_below"] < 0.5
    assert {each["aspect"] for each in shipped["sources"]} >= {"face", "hair", "wardrobe", "overall"}
    assert all(each["source"] for each in shipped["sources"])


async def test_a_profile_says_only_what_differs(studio, production):
    """The rest stays as shipped, and the answer shows every value in force."""
    shipped = (await studio.get("/v1/consistency-profiles/default")).json["profile"]
    strict = {"fail_below": 0.4, "pass_from": 0.8}
    made = await profile(studio, production, thresholds={"face": strict}, statistic="minimum")
    assert (made["version"], made["provisional"], made["fitted"]) == (1, True, None)
    assert made["overrides"] == {"thresholds": {"face": strict}, "statistic": "minimum"}
    assert made["profile"]["thresholds"]["face"] == strict
    assert made["profile"]["thresholds"]["hair"] == shipped["thresholds"]["hair"]
    assert (made["profile"]["statistic"], made["profile"]["prior"]) == ("minimum", shipped["prior"])
    assert (await studio.get(f"/v1/consistency-profiles/{made['id']}")).json == made


async def test_a_change_makes_the_next_version(studio, production):
    """Of the same scope only; the version before stays readable and is retired."""
    of = await character(studio, production)
    general = await profile(studio, production, min_face_px=16)
    own = await profile(studio, production, character_id=of["id"], shot_size="CU", min_face_px=20)
    again = await profile(studio, production, min_face_px=18)
    assert (general["version"], own["version"], again["version"]) == (1, 1, 2)
    old = (await studio.get(f"/v1/consistency-profiles/{general['id']}")).json
    assert (old["overrides"], old["retired_at"] is not None) == ({"min_face_px": 16}, True)
    base = f"/v1/productions/{production['id']}/consistency-profiles"
    now = [each["id"] for each in (await studio.get(base)).json["data"]]
    assert now == [again["id"], own["id"]]
    every = (await studio.get(base, params={"retired": "true"})).json["data"]
    assert {each["id"] for each in every} == {general["id"], own["id"], again["id"]}
    mine = await studio.get(base, params={"character_id": of["id"]})
    assert [each["id"] for each in mine.json["data"]] == [own["id"]]


async def test_a_profile_is_retired(studio, production):
    """The wider one holds again; what it said stays readable."""
    made = await profile(studio, production, band=0.5)
    gone = await studio.call("DELETE", f"/v1/consistency-profiles/{made['id']}")
    assert gone.json["retired_at"] is not None
    assert (await studio.call("DELETE", f"/v1/consistency-profiles/{made['id']}")).json == gone.json
    listed = await studio.get(f"/v1/productions/{production['id']}/consistency-profiles")
    assert listed.json["data"] == []
    refused = await studio.post(f"/v1/consistency-profiles/{made['id']}/refits")
    assert (refused.status, refused.json["code"]) == (409, "profile_retired")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"thresholds": {"face": {"fail_below": 0.9, "pass_from": 0.5}}}, "bad_profile"),
        ({"character_id": NOWHERE}, "unknown_character"),
        ({"thresholds": {"nose": {"fail_below": 0.1, "pass_from": 0.5}}}, "enum"),
        ({"learnt": {}}, "extra_forbidden"),
    ],
)
async def test_what_makes_no_profile_is_refused(studio, production, body, code):
    """With the reason, and nothing is written."""
    base = f"/v1/productions/{production['id']}/consistency-profiles"
    refused = await studio.post(base, body)
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, code)
    assert (await studio.get(base)).json["data"] == []


async def test_a_deleted_characters_profile_is_retired_with_it(studio, production):
    """Nobody is judged by it any more."""
    of = await character(studio, production)
    made = await profile(studio, production, character_id=of["id"], band=1)
    await studio.call("DELETE", f"/v1/characters/{of['id']}")
    assert (await studio.get(f"/v1/consistency-profiles/{made['id']}")).json["retired_at"] is not None


# --- refits -------------------------------------------------------------------------------------------------------


class Dailies:
    """Takes that were judged and then circled or rejected, written as the worker and the reviewers would have."""

    def __init__(self, running, studio, production):
        self.database = Database(running.database_url("app", "circletake"), pool_size=1)
        self.tenant_id = UUID(studio.tenant_id)
        self.studio, self.production = studio, production
        self.cast = []

    async def cast_of(self, count):
        for _ in range(count):
            of = await character(self.studio, self.production)
            dressed = await look(self.studio, of)
            references = (await self.studio.post(f"/v1/looks/{dressed['id']}/reference-sets")).json
            self.cast.append((UUID(of["id"]), UUID(dressed["id"]), UUID(references["id"])))

    async def decide(self, decisions, profile="default@1"):
        """`decisions`: (place in the cast, circled, probability of the face)."""
        async with self.database.tenant(self.tenant_id) as session:
            for place, circled, p in decisions:
                for row in self._rows(place, circled, p, profile):
                    session.add(row)
                    await session.flush()

    def _rows(self, place, circled, p, profile):
        character_id, look_id, set_id = self.cast[place]
        production_id = UUID(self.production["id"])
        generation, take, media = new_id(), new_id(), new_id()
        own = {"tenant_id": self.tenant_id}
        yield Generation(
            id=generation,
            production_id=production_id,
            kind="concept_art",
            model_id="m",
            state="succeeded",
            ledger_entry_id=new_id(),
            **own,
        )
        yield Take(
            id=take,
            generation_id=generation,
            number=1,
            state="succeeded",
            estimate_usd=Decimal(0),
            circled=circled,
            rejected=not circled,
            **own,
        )
        yield MediaFile(
            id=media,
            production_id=production_id,
            role="take",
            name="take.png",
            media_type="image/png",
            size=1,
            sha256=secrets.token_hex(32),
            rights_basis="work_for_hire",
            state="ready",
            generation_id=generation,
            take_id=take,
            finished_at=clock.now(),
            **own,
        )
        scores = {"face": p, "hair": 0.99, "wardrobe": 0.99}
        yield Judgement(
            id=new_id(),
            key=secrets.token_hex(16),
            media_id=media,
            character_id=character_id,
            look_id=look_id,
            reference_set_id=set_id,
            verdict="pass",
            score=p,
            scores=scores,
            body={"counted": ["face", "hair", "wardrobe"], "profile": profile, "shot_size": "CU"},
            **own,
        )


@pytest.fixture
async def dailies(running, studio, production):
    made = Dailies(running, studio, production)
    yield made
    await made.database.close()


def decisions(count, *, shift, seed=1):
    """People who see a character as right from log-odds `shift` on, and are sometimes of another mind."""
    draw = random.Random(seed)
    made = []
    for number in range(count):
        log_odds = draw.uniform(-6, 6)
        right = draw.random() < sigmoid(1.5 * (log_odds - shift))
        made.append((number % 5, right, sigmoid(log_odds)))
    return made


async def test_a_refit_refuses_to_learn_from_too_little(studio, production, dailies):
    """It says per aspect how many decisions are missing, and changes nothing."""
    made = await profile(studio, production, band=0.1)
    path = f"/v1/consistency-profiles/{made['id']}/refits"
    refused = await studio.post(path)
    assert (refused.status, refused.json["code"], refused.json["takes"]) == (409, "too_little_data", 0)
    await dailies.cast_of(5)
    await dailies.decide([(0, True, 0.9), (1, False, 0.05), (2, True, 0.8)])
    refused = await studio.post(path)
    assert (refused.status, refused.json["code"]) == (409, "too_little_data")
    assert (refused.json["takes"], refused.json["circled"]) == (3, 2)
    lacks = refused.json["aspects"]["face"]
    assert (lacks["missing_same"], lacks["missing_different"], lacks["missing_groups"]) == (28, 29, 2)
    listed = await studio.get(f"/v1/productions/{production['id']}/consistency-profiles")
    assert [each["id"] for each in listed.json["data"]] == [made["id"]]


async def test_a_refit_learns_what_a_score_means_here(studio, production, dailies):
    """People who are stricter than what is shipped move the decision up; the next version says how sure it is, and a
    later change of thresholds keeps what was learnt."""
    await dailies.cast_of(5)
    await dailies.decide(decisions(240, shift=2.0))
    first = await profile(studio, production, statistic="minimum")
    made = await studio.post(f"/v1/consistency-profiles/{first['id']}/refits")
    assert made.status == 201, made.body
    refit = made.json
    assert (refit["version"], refit["provisional"], refit["overrides"]) == (2, False, first["overrides"])
    assert refit["fitted"]["takes"] == 240
    face = refit["fitted"]["aspects"]["face"]
    assert face["method"] == "platt"
    assert face["threshold"]["low"] < WEIGHED < face["threshold"]["high"]
    assert face["groups"] == 5
    assert "hair" in refit["fitted"]["not_fitted"]
    learnt = refit["profile"]["learnt"]["face"]
    assert -learnt["offset"] / learnt["slope"] == pytest.approx(WEIGHED, abs=0.4)
    sources = {each["aspect"]: each for each in refit["sources"] if each["evaluator"].startswith("likeness")}
    assert (sources["face"]["provisional"], sources["hair"]["provisional"]) == (False, True)
    again = await profile(studio, production, min_face_px=20)
    assert (again["version"], again["provisional"], again["fitted"]) == (3, False, refit["fitted"])
    assert again["profile"]["learnt"] == refit["profile"]["learnt"]
    fresh = await profile(studio, production, min_face_px=20, keep_learnt=False)
    assert (fresh["provisional"], fresh["fitted"], fresh["profile"]["learnt"]) == (True, None, {})


async def test_a_second_refit_learns_on_the_shipped_scale(studio, production, dailies):
    """Scores that were given by a refit profile are taken back to what was shipped, so nothing is learnt twice."""
    await dailies.cast_of(5)
    made = decisions(240, shift=2.0)
    await dailies.decide(made)
    first = await profile(studio, production)
    refit = (await studio.post(f"/v1/consistency-profiles/{first['id']}/refits")).json
    learnt = refit["profile"]["learnt"]["face"]
    again = [
        (place, right, sigmoid(learnt["slope"] * _log_odds(p) + learnt["offset"])) for place, right, p in made
    ]
    await dailies.decide(again, profile=f"{refit['id']}@{refit['version']}")
    second = (await studio.post(f"/v1/consistency-profiles/{refit['id']}/refits")).json
    assert second["version"] == 3
    relearnt = second["profile"]["learnt"]["face"]
    assert relearnt["slope"] == pytest.approx(learnt["slope"], rel=0.2)
    assert relearnt["offset"] == pytest.approx(learnt["offset"], rel=0.2)


def _log_odds(p):
    return log(p / (1 - p))


async def test_a_characters_refit_learns_from_that_character_only(studio, production, dailies):
    """Others' takes teach nothing about them."""
    await dailies.cast_of(5)
    await dailies.decide(decisions(240, shift=0.0))
    own = await profile(studio, production, character_id=str(dailies.cast[0][0]))
    refused = await studio.post(f"/v1/consistency-profiles/{own['id']}/refits")
    assert (refused.status, refused.json["takes"]) == (409, 48)
    assert refused.json["aspects"]["face"]["missing_groups"] == 0

"""Generations over HTTP, against the running stack: from a request to a signed take."""

import asyncio
import json

from tests.gateway import Studio


async def concept(studio: Studio, **more: object) -> dict[str, object]:
    production = await studio.production()
    return {
        "production_id": production["id"],
        "kind": "concept_art",
        "prompt": "WS EXT NIGHT a lighthouse over a black sea",
        **more,
    }


async def test_a_request_becomes_takes_with_cost_seed_and_file(studio: Studio) -> None:
    """The main job: accepted, made, paid, signed and drawn on a contact sheet."""
    body = await concept(studio, takes=2, seed=41)
    accepted = await studio.post("/v1/generations", body)
    assert accepted.status == 202
    done = await studio.get(accepted.headers["Location"], headers={"Prefer": "wait=30"})
    assert done.json["state"] == "succeeded"
    assert [take["seed"] for take in done.json["takes"]] == [41, 42]
    assert {take["cost_usd"] for take in done.json["takes"]} == {"0.080000"}
    assert all(take["media_id"] and take["billed"] == "true" for take in done.json["takes"])
    assert done.json["sheet_media_id"]


async def test_the_answer_gives_the_text_back_but_lists_do_not(studio: Studio) -> None:
    """A studio reads its own prompt where it asks for one generation; a list carries none."""
    body = await concept(studio, metadata={"node": "comp_v12"}, external_ref="SG-4711")
    accepted = await studio.post("/v1/generations", body)
    assert accepted.json["prompt"] == body["prompt"]
    assert accepted.json["metadata"] == {"node": "comp_v12"}
    listed = await studio.get(f"/v1/generations?production_id={body['production_id']}")
    assert [each["external_ref"] for each in listed.json["data"]] == ["SG-4711"]
    assert b"lighthouse" not in listed.body


async def test_the_same_key_and_body_make_one_generation(studio: Studio) -> None:
    """A repeat of a request, also at the same moment, gives the same answer and makes nothing twice."""
    body = await concept(studio)
    headers = {"Idempotency-Key": '"night-shift-1"'}
    answers = await asyncio.gather(*(studio.post("/v1/generations", body, headers=headers) for _ in range(5)))
    accepted = [answer for answer in answers if answer.status == 202]
    assert {answer.status for answer in answers} <= {202, 409}
    again = await studio.post("/v1/generations", body, headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert {answer.body for answer in accepted} == {again.body}
    listed = await studio.get(f"/v1/generations?production_id={body['production_id']}")
    assert len(listed.json["data"]) == 1


async def test_the_same_key_with_another_body_is_refused(studio: Studio) -> None:
    """A key that was used for something else is a mistake of the caller's."""
    body = await concept(studio)
    headers = {"Idempotency-Key": "night-shift-2"}
    await studio.post("/v1/generations", body, headers=headers)
    other = await studio.post("/v1/generations", {**body, "takes": 2}, headers=headers)
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")


async def test_a_refused_request_does_not_consume_its_key(studio: Studio) -> None:
    """After mending the request the same key works."""
    body = await concept(studio)
    headers = {"Idempotency-Key": "night-shift-3"}
    refused = await studio.post("/v1/generations", {**body, "takes": 21}, headers=headers)
    assert refused.status == 422
    assert (await studio.post("/v1/generations", body, headers=headers)).status == 202


async def test_progress_is_told_as_it_happens_and_can_be_resumed(studio: Studio) -> None:
    """Server-sent events are numbered without gaps, end with the generation, and resume after the last one seen."""
    accepted = await studio.post("/v1/generations", await concept(studio, takes=2))
    path = accepted.headers["Location"] + "/events"
    told = await _events(studio, path)
    assert [number for number, _ in told] == list(range(1, len(told) + 1))
    assert told[0][1] == "generation.queued"
    assert told[-1][1] == "generation.finished"
    rest = await _events(studio, path, after=told[1][0])
    assert rest == told[2:]


async def _events(studio: Studio, path: str, after: int | None = None) -> list[tuple[int, str]]:
    headers = {"Last-Event-ID": str(after)} if after else {}
    answer = await studio.get(path, headers=headers)
    blocks = [block for block in answer.body.decode().split("\n\n") if "data: " in block]
    data = [json.loads(block.split("data: ", 1)[1].split("\n")[0]) for block in blocks]
    return [(each["sequence"], each["type"]) for each in data]


async def test_circle_uncircle_and_reject_stay_on_record(studio: Studio) -> None:
    """People choose; a take is circled or rejected, never both; every act is an event and says who did it and why."""
    accepted = await studio.post("/v1/generations", await concept(studio))
    done = await studio.get(accepted.headers["Location"], headers={"Prefer": "wait=30"})
    take = done.json["takes"][0]["id"]
    ada, grace = await studio.person("reviewer", name="Ada"), await studio.person("approver", name="Grace")
    circled = await ada.post(f"/v1/takes/{take}/circle", {})
    assert circled.json["circled"]
    rejected = await grace.post(f"/v1/takes/{take}/reject", {"reason": "her left hand"})
    assert (rejected.json["circled"], rejected.json["rejected"]) == (False, True)
    acts = (await studio.get(f"/v1/takes/{take}/acts")).json["data"]
    told = [(each["act"], each["person"], each["reason"]) for each in acts]
    assert told == [("circle", "Ada", None), ("reject", "Grace", "her left hand")]
    events = await _events(studio, accepted.headers["Location"] + "/events")
    assert [name for _, name in events][-2:] == ["take.circled", "take.rejected"]

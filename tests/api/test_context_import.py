"""Lists of shots over HTTP: CSV and JSON lines, reported row by row."""

import asyncio
import io
import json

import pytest

HEADER = "code,sequence,episode,frame_in,frame_out,external_ref,notes\r\n"


async def send(studio, production, text, content_type="text/csv", headers=None, **params):
    return await studio.call(
        "POST",
        f"/v1/productions/{production['id']}/shots/import",
        data=io.BytesIO(text if isinstance(text, bytes) else text.encode()),
        headers={"Content-Type": content_type, **(headers or {})},
        params={name: str(value).lower() for name, value in params.items()},
    )


async def shots_of(studio, production):
    listed = await studio.get(f"/v1/productions/{production['id']}/shots", params={"limit": 200})
    return {shot["code"]: shot for shot in listed.json["data"]}


def counts(report):
    return {name: report[name] for name in ("created", "updated", "unchanged", "refused")}


async def test_a_tracker_s_list_makes_shots_with_their_sequences_and_episodes(studio):
    """Everything the file says is on record afterwards, and the report says what was made."""
    production = await studio.production()
    made = await send(
        studio,
        production,
        "\ufeff"
        + HEADER
        + "AGM_104_TCC_0010,TCC,104,1001,1096,sg:1,Rain\r\nAGM_104_TCC_0020,TCC,,,,sg:2,\r\n",
        content_type="text/csv; charset=UTF-8",
    )
    assert made.status == 200, made.body
    assert made.json["written"] is True
    assert counts(made.json) == {"created": 2, "updated": 0, "unchanged": 0, "refused": 0}
    assert (made.json["sequences_created"], made.json["episodes_created"]) == (["TCC"], ["104"])
    assert [(row["line"], row["outcome"]) for row in made.json["rows"]] == [(2, "created"), (3, "created")]
    shot = await studio.get(f"/v1/shots/{made.json['rows'][0]['shot_id']}")
    assert (shot.json["code"], shot.json["frame_out"], shot.json["notes"]) == (
        "AGM_104_TCC_0010",
        1096,
        "Rain",
    )
    assert (shot.json["external_ref"], shot.headers["ETag"]) == ("sg:1", '"1"')
    sequence = await studio.get(f"/v1/sequences/{shot.json['sequence_id']}")
    episode = await studio.get(f"/v1/episodes/{sequence.json['episode_id']}")
    assert (sequence.json["code"], episode.json["code"]) == ("TCC", "104")


@pytest.mark.parametrize("content_type", ["application/jsonl", "application/x-ndjson"])
async def test_json_lines_do_the_same(studio, content_type):
    """A pipeline sends one object per line."""
    production = await studio.production()
    lines = [
        {"code": "A", "sequence": "S", "frame_in": 1001},
        {"code": "B", "notes": 'with "quotes", commas'},
    ]
    made = await send(studio, production, "\n".join(json.dumps(line) for line in lines), content_type)
    assert counts(made.json) == {"created": 2, "updated": 0, "unchanged": 0, "refused": 0}
    notes = (await studio.get(f"/v1/shots/{made.json['rows'][1]['shot_id']}")).json["notes"]
    assert notes == 'with "quotes", commas'


async def test_a_second_import_changes_only_what_differs(studio):
    """What is the same keeps its version; what is left out keeps its value; an empty cell clears."""
    production = await studio.production()
    await send(studio, production, HEADER + "A,S,,1001,1010,sg:1,note\nB,S,,1001,1010,,\n")
    again = await send(studio, production, "code,frame_out,external_ref\nA,1020,\nB,1010,\n")
    assert [row["outcome"] for row in again.json["rows"]] == ["updated", "unchanged"]
    first, second = [await studio.get(f"/v1/shots/{row['shot_id']}") for row in again.json["rows"]]
    assert (first.headers["ETag"], second.headers["ETag"]) == ('"2"', '"1"')
    assert (first.json["frame_out"], first.json["external_ref"]) == (1020, None)
    assert (first.json["frame_in"], first.json["notes"]) == (1001, "note")
    assert first.json["sequence_id"] == second.json["sequence_id"]
    assert first.json["sequence_id"] is not None


async def test_a_refused_row_leaves_the_others_alone(studio):
    """Good rows go in; each bad one says why."""
    production = await studio.production()
    made = await send(studio, production, HEADER + "A,,,1001,1000,,\nB,,,,,,\nB,,,1,2,,\nno good,,,,,,\n")
    assert made.status == 200
    assert [row["outcome"] for row in made.json["rows"]] == ["refused", "created", "refused", "refused"]
    reasons = [[each["code"] for each in row["violations"]] for row in made.json["rows"]]
    assert reasons == [["frame_range"], [], ["doubled_code"], ["bad_code"]]
    assert made.json["rows"][0]["shot_id"] is None
    assert set(await shots_of(studio, production)) == {"B"}


async def test_an_atomic_import_with_a_refused_row_writes_nothing(studio):
    """All or none: the problem carries the report, and the key isn't used up."""
    production = await studio.production()
    key = {"Idempotency-Key": "all-or-none"}
    bad = HEADER + "A,NEW,104,,,,\nno good,,,,,,\n"
    refused = await send(studio, production, bad, headers=key, atomic=True)
    assert (refused.status, refused.json["code"]) == (422, "rows_refused")
    report = refused.json["report"]
    assert report["written"] is False
    assert [(row["line"], row["outcome"]) for row in report["rows"]] == [(2, "created"), (3, "refused")]
    assert await shots_of(studio, production) == {}
    assert (await studio.get(f"/v1/productions/{production['id']}/sequences")).json["data"] == []
    corrected = await send(studio, production, HEADER + "A,NEW,104,,,,\n", headers=key, atomic=True)
    assert (corrected.status, corrected.json["created"]) == (200, 1)


async def test_a_dry_run_reports_and_writes_nothing(studio):
    """The report is the one the import would give, also with the same key afterwards."""
    production = await studio.production()
    key = {"Idempotency-Key": "first-look"}
    text = HEADER + "A,S,104,1001,1010,,\nno good,,,,,,\n"
    dry = await send(studio, production, text, headers=key, dry_run=True, atomic=True)
    assert (dry.status, dry.json["written"]) == (200, False)
    assert await shots_of(studio, production) == {}
    real = await send(studio, production, text, headers=key)
    assert counts(real.json) == counts(dry.json) == {"created": 1, "updated": 0, "unchanged": 0, "refused": 1}
    assert real.json["sequences_created"] == dry.json["sequences_created"] == ["S"]
    assert set(await shots_of(studio, production)) == {"A"}


async def test_a_repeated_import_is_answered_and_not_made_again(studio):
    """The same key gives the first report; asked otherwise it is another request."""
    production = await studio.production()
    key = {"Idempotency-Key": "nightly"}
    first = await send(studio, production, "code\nA\n", headers=key)
    again = await send(studio, production, "code\nA\n", headers=key)
    assert again.json == first.json
    assert again.json["created"] == 1
    assert again.headers["Idempotent-Replayed"] == "true"
    otherwise = await send(studio, production, "code\nA\n", headers=key, atomic=True)
    assert (otherwise.status, otherwise.json["code"]) == (422, "idempotency_key_reused")


async def test_a_hostile_line_is_a_refused_row(studio):
    """JSON nested past every depth is refused like any other rubbish, also under an Idempotency-Key."""
    production = await studio.production()
    made = await send(
        studio, production, "[" * 100_000, "application/jsonl", headers={"Idempotency-Key": "deep"}
    )
    assert made.status == 200, made.body
    assert made.json["rows"][0]["violations"][0]["code"] == "malformed_json"


async def test_imports_and_single_shots_at_once_agree(studio):
    """Whoever comes first makes the shot; nobody fails on the other, and no shot is there twice."""
    production = await studio.production()
    codes = [f"S_{number:04}" for number in range(0, 400, 10)]
    text = "code,sequence\n" + "".join(f"{code},NEW\n" for code in codes)
    backward = "code,sequence\n" + "".join(f"{code},NEW\n" for code in reversed(codes))
    base = f"/v1/productions/{production['id']}/shots"
    answers = await asyncio.gather(
        send(studio, production, text),
        *(studio.post(base, {"code": code}) for code in codes[::8]),
        send(studio, production, backward),
        *(studio.post(f"/v1/productions/{production['id']}/sequences", {"code": "NEW"}) for _ in range(2)),
    )
    assert {answer.status for answer in answers} <= {200, 201, 409}
    assert {answer.json["refused"] for answer in answers if answer.status == 200} == {0}
    shots = await shots_of(studio, production)
    assert sorted(shots) == codes
    assert len({shot["sequence_id"] for shot in shots.values()}) == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("code,colour\nA,red\n", "unknown_column"),
        ("shot\nA\n", "unknown_column"),
        ("", "missing_column"),
        ('code,notes\nA,"open\n', "malformed_csv"),
        ("code\n" + "".join(f"S{number}\n" for number in range(5001)), "too_many_rows"),
        (b"code\n\xff\n", "not_utf8"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_with_the_reason(studio, text, code):
    """The whole file is refused, and says what to change."""
    production = await studio.production()
    refused = await send(studio, production, text)
    assert (refused.status, refused.json["errors"][0]["code"]) == (422, code)


async def test_a_file_that_is_too_large_is_refused(studio):
    """By its announced size, and by the bytes when it announces none."""
    production = await studio.production()
    huge = b"code,notes\n" + b"".join(b"S%d,%s\n" % (number, b"n" * 9_000) for number in range(250))

    async def chunks():
        for begin in range(0, len(huge), 65_536):
            yield huge[begin : begin + 65_536]

    announced = await send(studio, production, huge)
    streamed = await studio.call(
        "POST",
        f"/v1/productions/{production['id']}/shots/import",
        data=chunks(),
        headers={"Content-Type": "text/csv"},
    )
    for refused in (announced, streamed):
        assert (refused.status, refused.json["code"]) == (413, "body_too_large")
        assert "split the file" in refused.json["detail"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/vnd.ms-excel", "text/csv; charset=latin1"]
)
async def test_another_content_type_is_refused(studio, content_type):
    """What isn't CSV or JSON lines in UTF-8 is never guessed at."""
    production = await studio.production()
    refused = await send(studio, production, "code\nA\n", content_type)
    assert (refused.status, refused.json["code"]) == (415, "unsupported_media_type")


async def test_five_thousand_shots_come_in_at_once(studio):
    """The largest list that is taken, with a note on each row."""
    production = await studio.production()
    text = "code,sequence,frame_in,frame_out,notes\n" + "".join(
        f"S_{number:05},Q_{number // 50:03},1001,1100,note {number}\n" for number in range(5000)
    )
    made = await send(studio, production, text)
    assert made.status == 200, made.body
    assert (made.json["created"], len(made.json["sequences_created"])) == (5000, 100)
    again = await send(studio, production, text)
    assert again.json["unchanged"] == 5000

"""The inspection of uploads against a real bucket, decoder and database: what is published, what is refused,
and what is left after a crash."""

import asyncio

import pytest

from circletake.domain.errors import Conflict
from circletake.domain.kinds import MediaRole
from circletake.domain.people import PLATFORM, Actor
from circletake.kit.ids import new_id
from circletake.ports import StorageFault
from circletake.usecases.complete_upload import complete_upload
from circletake.usecases.grant_download import grant_download
from circletake.usecases.grant_upload import renew_upload
from circletake.usecases.idempotency import IdempotencyClaim
from circletake.usecases.steps import FenceLost
from circletake.usecases.withdraw_media import withdraw_media
from tests.integration.c2pa_studio import change_one_byte, picture, request
from tests.integration.media_bench import bench, instruments, put
from tests.integration.storage_tenants import send
from tests.integration.vision_files import jpeg_bytes, noise, png_bytes, png_claiming, tiff_bytes, video_file

MIB = 1024 * 1024


@pytest.fixture(scope="module")
async def things(stack):
    async with instruments(stack) as made:
        yield made


@pytest.fixture
async def studio(things, database, tmp_path):
    async with bench(things, database, tmp_path) as made:
        yield made


def plate(seed=0):
    return png_bytes(noise(48, 64, depth=16, seed=seed))


async def test_an_inspected_upload_is_published_and_told(studio):
    """Its size is measured, it stands under its production and shot, and only there; the tracker hears of it."""
    file = await studio.ready(plate(), external_ref="sg:9")
    assert (file.width, file.height, file.probe["bit_depth"]) == (64, 48, 16)
    assert await studio.stored() == [file.object_key]
    assert file.object_key.startswith(f"media/{studio.production_id}/{studio.shot_id}/{file.id}/")
    (event,) = await studio.events()
    assert event[0] == "media.ready"
    assert (event[1]["media_id"], event[1]["external_ref"]) == (str(file.id), "sg:9")
    assert "name" not in event[1]


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("truncated", plate()[:-400]),
        ("type_mismatch", jpeg_bytes(noise(48, 64))),
        ("polyglot", plate() + b"PK\x03\x04<script>alert(1)</script>"),
        ("too_large", png_claiming(60_000, 60_000, b"")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_bad_file_is_refused_and_gone(studio, code, data):
    """The code is clear, the text says what to do, and nothing of it stays in the bucket."""
    file = await studio.completed(data)
    await studio.work()
    file = await studio.look(file.id)
    assert (file.state, file.problem_code) == ("refused", code)
    assert len(file.problem_detail) > 20
    assert await studio.stored() == []
    assert [kind for kind, _ in await studio.events()] == ["media.refused"]


async def test_other_bytes_than_declared_are_refused(studio):
    """Right in size, wrong in content: the SHA-256 decides."""
    file = await studio.uploaded(plate(1))
    other = plate(1)[:-1] + b"\0"
    await put(await fresh_url(studio, file), other, {"Content-Type": "image/png"})
    await complete_upload(studio.database, studio.gateway, studio.tenant, media_id=file.id)
    await studio.work()
    assert (await studio.look(file.id)).problem_code == "hash_mismatch"
    assert await studio.stored() == []


async def withdraw(studio, file):
    await withdraw_media(
        studio.database, studio.seal, tenant_id=studio.tenant.tenant_id, actor=PLATFORM, media_id=file.id
    )


async def fresh_url(studio, file):
    _, offer = await renew_upload(
        studio.database, studio.gateway, studio.tenant, actor=PLATFORM, media_id=file.id
    )
    return offer.url


async def test_a_file_written_again_after_complete_is_refused(studio):
    """A presigned PUT can be replayed: what was pinned is inspected, or nothing."""
    file = await studio.uploaded(plate(2))
    url = await fresh_url(studio, file)
    await complete_upload(studio.database, studio.gateway, studio.tenant, media_id=file.id)
    await put(url, plate(2)[:-1] + b"\0", {"Content-Type": "image/png"})
    await studio.work()
    assert (await studio.look(file.id)).problem_code == "changed"
    assert await studio.stored() == []


async def test_a_replay_after_publication_changes_nothing(studio, tmp_path):
    """The published bytes stay as they were inspected; what was put there again is purged once no grant can write."""
    data = plate(3)
    file = await studio.uploaded(data)
    url = await fresh_url(studio, file)
    await complete_upload(studio.database, studio.gateway, studio.tenant, media_id=file.id)
    await studio.work()
    await put(url, data[:-1] + b"\0", {"Content-Type": "image/png"})
    file = await studio.look(file.id)
    assert await studio.worker.get(studio.tenant, file.object_key) == data
    (waiting,) = await studio.sql("select kind, run_at - now() as wait from steps where state = 'ready'")
    assert waiting["kind"] == "purge"
    assert 0 < waiting["wait"].total_seconds() <= 16 * 60
    await studio.sql("update grants set expires_at = now() - interval '1 hour'")
    await studio.run(await studio.claim(file.id))
    assert await studio.stored() == [file.object_key]
    assert await studio.sql("select 1 from steps where state <> 'done'") == []


async def test_a_videos_frame_range_is_counted(studio, tmp_path):
    """A range of another length than the file holds is refused; the right one is kept."""
    data = video_file(tmp_path / "clip.mp4", frames=12).read_bytes()
    clip = {"media_type": "video/mp4", "name": "clip.mp4", "role": MediaRole.REFERENCE}
    wrong = await studio.completed(data, first_frame=1001, last_frame=1020, **clip)
    await studio.work()
    wrong = await studio.look(wrong.id)
    assert (wrong.state, wrong.problem_code) == ("refused", "frame_range")
    right = await studio.ready(data, first_frame=1001, last_frame=1012, **clip)
    assert right.probe["frames"] == 12


async def signed(studio, folder):
    source, target = picture(folder / "in.jpg"), folder / "signed.jpg"
    await studio.tools.signer.sign(request(source, target))
    return target


async def test_a_trusted_manifest_tells_where_a_plate_came_from(studio, tmp_path):
    """Its digital source type is recorded, so that what is made with it says so too."""
    path = await signed(studio, tmp_path)
    file = await studio.ready(path.read_bytes(), media_type="image/jpeg", name="signed.jpg")
    assert file.digital_source_type == "trainedAlgorithmicMedia"
    assert file.probe["content_credentials"]["status"] == "trusted"


async def test_a_tampered_plate_is_refused_before_money_is_spent(studio, tmp_path):
    """No take made with it could ever be signed."""
    path = await signed(studio, tmp_path)
    change_one_byte(path)
    file = await studio.completed(path.read_bytes(), media_type="image/jpeg", name="signed.jpg")
    await studio.work()
    file = await studio.look(file.id)
    assert (file.state, file.problem_code) == ("refused", "tampered_manifest")


async def test_the_same_file_is_not_sent_twice(studio):
    """The same bytes for the same place and purpose are the file that is there."""
    file = await studio.ready(plate(4))
    again = await studio.declare(plate(4))
    assert (again.status, again.file.id, again.offer) == (200, file.id, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"role": MediaRole.REFERENCE},
        {"shot_id": None, "rights_basis": "licensed"},
        {"colour_space": "ACEScg"},
    ],
)
async def test_known_bytes_for_another_purpose_are_copied_not_sent(studio, changes):
    """They become a media file of their own, with what was said of it, inspected again."""
    first = await studio.ready(plate(5))
    again = await studio.declare(plate(5), **changes)
    assert (again.status, again.offer) == (201, None)
    assert again.file.id != first.id
    await studio.work()
    copied = await studio.look(again.file.id)
    assert copied.state == "ready"
    assert (copied.role, copied.rights_basis) == (again.file.role, again.file.rights_basis)
    assert sorted(await studio.stored()) == sorted([first.object_key, copied.object_key])


async def test_a_copy_of_a_file_that_was_withdrawn_says_to_upload(studio):
    """The bytes went before they were copied."""
    first = await studio.ready(plate(6))
    again = await studio.declare(plate(6), role=MediaRole.REFERENCE)
    await withdraw(studio, first)
    await studio.run(await studio.claim(first.id, "purge"))
    await studio.run(await studio.claim(again.file.id, "inspect"))
    assert (await studio.look(again.file.id)).problem_code == "upload_missing"


async def test_a_repeat_under_the_same_key_is_the_same_file(studio):
    """With URLs of its own time, and nothing made twice."""
    claim = IdempotencyClaim("k", "POST /v1/media", b"h")
    one = await studio.declare(plate(7), claim=claim)
    two = await studio.declare(plate(7), claim=claim)
    assert (two.status, two.file.id, two.replayed) == (201, one.file.id, True)
    assert two.offer.url is not None
    assert len(await studio.sql("select 1 from media_files")) == 1
    (kept,) = await studio.sql("select answer from idempotency_keys")
    assert b"X-Amz" not in kept["answer"]


async def test_completing_without_bytes_is_told(studio):
    """Nothing is queued; the answer says what to do."""
    answer = await studio.declare(plate(8))
    with pytest.raises(Conflict) as refused:
        await complete_upload(studio.database, studio.gateway, studio.tenant, media_id=answer.file.id)
    assert refused.value.code == "upload_missing"
    assert await studio.sql("select 1 from steps") == []


async def test_completing_twice_inspects_once(studio):
    """Asking again answers the present state."""
    file = await studio.completed(plate(9))
    again = await complete_upload(studio.database, studio.gateway, studio.tenant, media_id=file.id)
    assert again.state == "inspecting"
    assert len(await studio.sql("select 1 from steps")) == 1


def large():
    """More than one PUT takes: 69 MB of TIFF."""
    return tiff_bytes(noise(4800, 4800, seed=1))


@pytest.mark.timeout(400)  # 69 MB through a bucket, twice, and decoded: slow where the disk is busy
async def test_an_interrupted_upload_goes_on_where_it_broke_off(studio):
    """Only the parts that haven't arrived are asked for again; then it is one file."""
    data = large()
    answer = await studio.declare(data, media_type="image/tiff", name="big.tif")
    offer = answer.offer
    assert (offer.url, offer.part_count, len(offer.parts)) == (None, 5, 5)

    async def send(part):
        start = (part.number - 1) * offer.part_size
        await put(part.url, data[start : start + offer.part_size])

    await send(offer.parts[3])
    await send(offer.parts[0])
    with pytest.raises(Conflict) as refused:
        await complete_upload(studio.database, studio.gateway, studio.tenant, media_id=answer.file.id)
    assert (refused.value.code, refused.value.extra["parts"]) == ("parts_missing", [2, 3, 5])
    _, rest = await renew_upload(
        studio.database, studio.gateway, studio.tenant, actor=PLATFORM, media_id=answer.file.id
    )
    assert (list(rest.uploaded_parts), [part.number for part in rest.parts]) == ([1, 4], [2, 3, 5])
    for part in rest.parts:
        await send(part)
    await complete_upload(studio.database, studio.gateway, studio.tenant, media_id=answer.file.id)
    await studio.work()
    file = await studio.look(answer.file.id)
    assert (file.state, file.width) == ("ready", 4800)
    assert await studio.stored() == [file.object_key]


async def test_an_upload_the_server_forgot_begins_again(studio):
    """The answer says so, instead of leaving the studio with parts that will never fit."""
    data = b"x" * (65 * MIB)
    answer = await studio.declare(data, media_type="image/tiff", name="big.tif")
    await studio.worker.abort_multipart(
        studio.tenant, f"incoming/{answer.file.id}", (await studio.look(answer.file.id)).upload_id
    )
    _, offer = await renew_upload(
        studio.database, studio.gateway, studio.tenant, actor=PLATFORM, media_id=answer.file.id
    )
    assert offer.restarted
    assert [part.number for part in offer.parts] == [1, 2, 3, 4, 5]
    await put(offer.parts[0].url, data[: offer.part_size])


async def test_every_grant_is_on_record_without_its_url(studio):
    """To whom, for what, until when; a download as well."""
    file = await studio.ready(plate(10))
    key = new_id()
    _, until = await grant_download(
        studio.database, studio.gateway, studio.tenant, actor=Actor(api_key_id=key), media_id=file.id
    )
    rows = await studio.sql("select * from grants order by created_at")
    assert [row["purpose"] for row in rows] == ["upload", "download"]
    assert (rows[1]["api_key_id"], rows[1]["expires_at"]) == (key, until)
    assert all("http" not in str(value) for row in rows for value in row.values())


async def test_a_withdrawn_file_is_gone_and_remembered(studio):
    """Its object and every version are purged; its record, hash and rights basis stay."""
    file = await studio.ready(plate(11))
    await withdraw(studio, file)
    await studio.run(await studio.claim(file.id, "purge"))
    assert await studio.stored() == []
    with pytest.raises(StorageFault):
        await studio.worker.head(studio.tenant, file.object_key)
    tombstone = await studio.look(file.id)
    assert (tombstone.state, tombstone.sha256, tombstone.rights_basis) == ("withdrawn", file.sha256, "owned")
    with pytest.raises(Conflict):
        await grant_download(studio.database, studio.gateway, studio.tenant, actor=PLATFORM, media_id=file.id)


async def test_withdrawing_during_the_inspection_wins(studio):
    """The inspector publishes nothing and cleans up after itself."""
    file = await studio.completed(plate(12))
    step = await studio.claim(file.id)
    await withdraw(studio, file)
    await studio.run(step)
    assert (await studio.look(file.id)).state == "withdrawn"
    assert await studio.stored() == []
    assert await studio.events() == []


async def test_an_inspector_that_lost_its_lease_publishes_nothing(studio):
    """What it copied it takes away; the one that has the step now decides alone."""
    file = await studio.completed(plate(13))
    late = await studio.claim(file.id)
    now = await studio.claim(file.id)
    with pytest.raises(FenceLost):
        await studio.run(late)
    assert (await studio.look(file.id)).state == "inspecting"
    assert await studio.stored("media/") == []
    await studio.run(now)
    assert (await studio.look(file.id)).state == "ready"


async def test_a_crash_between_decision_and_cleaning_is_repaired(studio):
    """The step that runs again finds the decision, cleans, and tells nothing twice."""
    file = await studio.completed(plate(14))
    broken = BrokenDelete(studio.worker)
    studio.tools.store = broken
    with pytest.raises(StorageFault):
        await studio.run(await studio.claim(file.id))
    assert (await studio.look(file.id)).state == "ready"
    assert len(await studio.stored()) == 2
    studio.tools.store = studio.worker
    await studio.run(await studio.claim(file.id))
    assert await studio.stored() == [(await studio.look(file.id)).object_key]
    assert [kind for kind, _ in await studio.events()] == ["media.ready"]


class BrokenDelete:
    """The real bucket, whose deletions fail as when storage goes away."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def delete(self, tenant, keys):
        raise StorageFault("unavailable", "the bucket is away")


async def test_a_grant_is_for_these_bytes_only(studio):
    """S3 itself refuses another length than the one declared."""
    answer = await studio.declare(plate(15))
    reply = await asyncio.to_thread(
        send, "PUT", answer.offer.url, plate(15) + b"more", Content_Type="image/png"
    )
    assert reply.status == 403
    assert await studio.stored() == []

"""What a consistency check costs beside the networks it can't do without, on the same pictures and in the same run.

The work is a sequence's frames in small: 24 stills of 1280 x 720 (JPEG), ten characters with three references each. Counted is
processor time, so that a busy machine doesn't matter: of the evaluator with its judging; of gateway, dispatcher and
workers for a check over HTTP, from the question to the signed continuity sheet; of asking again when one of the shots
is new, beside a check of a new shot alone. Beside them, in turn, a bare process runs the networks.
"""

import asyncio
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil  # type: ignore[import-untyped]
from numpy.typing import NDArray
from skimage import data

from benchmarks.bare_networks import network_seconds
from benchmarks.report import Measure, spread
from benchmarks.studio import Studio, cpu_seconds, product_pids
from circletake.adapters.catalogue.evaluators import load_rules
from circletake.adapters.vision.likeness.evaluator import LikenessEvaluator
from circletake.domain.consistency.judging import judge_frame
from circletake.domain.consistency.materials import judge_material
from circletake.domain.consistency.subjects import Subject
from circletake.domain.consistency.words import CharacterKind
from circletake.kit.children import ChildPool
from circletake.ports import CastMember
from circletake.settings import WorkerSettings

AIM = 1.2
MEMORY_AIM_MB = 1200.0
FRAMES = 24
CHARACTERS = 10
REFERENCES = 3
ROUNDS = 3
_WAIT = {"Prefer": "wait=30"}
Rgb = NDArray[np.uint8]


async def measure(studio: Studio) -> list[Measure]:
    with tempfile.TemporaryDirectory(prefix="circletake-bench-") as folder:
        place = Path(folder)
        frames = [_write(place / f"frame_{at:02d}.jpg", _frame(at)) for at in range(FRAMES)]
        references = [
            [_write(place / f"ref_{who}_{at}.jpg", _reference(who, at)) for at in range(REFERENCES)]
            for who in range(CHARACTERS)
        ]
        alone = await _evaluator(frames, references)
        served = await _service(studio, place, frames, references)
    return [*alone, *served]


# --- the evaluator --------------------------------------------------------------------------------------------------


async def _evaluator(frames: Sequence[Path], references: Sequence[Sequence[Path]]) -> list[Measure]:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # noqa: TID251 - as the worker's composition root does
    weights = WorkerSettings().weights_dir
    ours, theirs = ChildPool(1), ChildPool(1)
    try:
        evaluator = LikenessEvaluator(ours, weights)
        cast = [
            CastMember(str(who), CharacterKind.HUMAN, [await _features(evaluator, each) for each in own])
            for who, own in enumerate(references)
        ]
        await theirs.run(partial(network_seconds, weights, frames[:2]))
        rounds = []
        for _ in range(ROUNDS):
            before = await ours.run(time.process_time) + time.process_time()
            await _judged(evaluator, cast, frames)
            spent = await ours.run(time.process_time) + time.process_time() - before
            rounds.append((spent, await theirs.run(partial(network_seconds, weights, frames))))
    finally:
        ours.close()
        theirs.close()
    ratios = [spent / bare for spent, bare in rounds]
    told = f"{spread(ratios)}; ms per frame {_per_frame(rounds, 0):.0f} against {_per_frame(rounds, 1):.0f}"
    return [Measure("judging_cpu_ratio", statistics.median(ratios), "ratio", AIM, "lower", told)]


def _per_frame(rounds: Sequence[tuple[float, float]], which: int) -> float:
    return 1000 * statistics.median(each[which] for each in rounds) / FRAMES


async def _features(evaluator: LikenessEvaluator, path: Path) -> bytes:
    (seen,) = await evaluator.see(path, "image/jpeg", frames=[0], people=True, scene=False)
    return max(seen.figures, key=lambda figure: figure.face_px).features


async def _judged(evaluator: LikenessEvaluator, cast: Sequence[CastMember], frames: Sequence[Path]) -> None:
    rules = load_rules()
    subjects = [Subject(member.key, expected=False) for member in cast]
    for path in frames:
        (seen,) = await evaluator.see(path, "image/jpeg", frames=[0], people=True, scene=False)
        (matches,) = await evaluator.compare(cast, [seen])
        evidence = {evaluator.id: matches}
        found = judge_frame(subjects, seen, evidence, rules.calibrations, rules.default_profile)
        for one in found:
            judge_material([one], rules.default_profile)


# --- over HTTP ------------------------------------------------------------------------------------------------------


async def _service(
    studio: Studio, place: Path, frames: Sequence[Path], references: Sequence[Sequence[Path]]
) -> list[Measure]:
    weights = WorkerSettings().weights_dir
    desk = _Desk(studio)
    subjects = [await desk.character(f"CHARACTER {who}", own) for who, own in enumerate(references)]
    media = [await desk.upload(path) for path in frames]
    await desk.check(subjects, [await desk.upload(_write(place / "warm.jpg", _frame(FRAMES + 99)))])
    bare = ChildPool(1)
    try:
        theirs = await bare.run(partial(network_seconds, weights, frames))
    finally:
        bare.close()
    shares, peak = await desk.check(subjects, media)
    ours = sum(shares.values())
    parts = ", ".join(f"{name} {1000 * part / FRAMES:.0f}" for name, part in shares.items())
    again = []
    for turn in range(ROUNDS):
        alone = await desk.upload(_write(place / f"alone_{turn}.jpg", _frame(FRAMES + 2 * turn)))
        fresh = await desk.upload(_write(place / f"fresh_{turn}.jpg", _frame(FRAMES + 2 * turn + 1)))
        one, _ = await desk.check(subjects, [alone])
        media = [*media[1:], fresh]
        changed, _ = await desk.check(subjects, media)
        again.append(sum(changed.values()) / sum(one.values()))
    return [
        Measure(
            "check_cpu_ratio",
            ours / theirs,
            "ratio",
            AIM,
            "lower",
            f"{FRAMES} stills x {CHARACTERS} characters, sheet and signing included; ms per still "
            f"{1000 * ours / FRAMES:.0f} ({parts}) against {1000 * theirs / FRAMES:.0f}",
        ),
        Measure("recheck_cpu_ratio", statistics.median(again), "ratio", AIM, "lower", spread(again)),
        Measure(
            "judge_worker_peak_mb", peak, "MB", MEMORY_AIM_MB, "lower", "the largest worker with its children"
        ),
    ]


class _Desk:
    """What a studio's pipeline does to ask whether ten characters stay the same."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def character(self, name: str, pictures: Sequence[Path]) -> dict[str, Any]:
        production = self._studio.production_id
        made = await self._post(
            f"/v1/productions/{production}/characters", {"kind": "human", "script_name": name}
        )
        look = await self._post(f"/v1/characters/{made['id']}/looks", {"name": "suit"})
        draft = await self._post(f"/v1/looks/{look['id']}/reference-sets", {})
        for path in pictures:
            media = await self.upload(path)
            added = await self._post(f"/v1/reference-sets/{draft['id']}/references", {"media_id": media})
            while added["state"] == "inspecting":
                added = await self._get(f"/v1/references/{added['id']}")
        approver = await self._studio.person("approver")
        place = f"/v1/reference-sets/{draft['id']}/approve"
        await self._post(place, {"accept_findings": True}, token=approver)
        return {"character_id": made["id"]}

    async def upload(self, path: Path) -> str:
        content = await asyncio.to_thread(path.read_bytes)
        made = await self._post(
            "/v1/media",
            {
                "production_id": self._studio.production_id,
                "role": "reference",
                "name": path.name,
                "media_type": "image/jpeg",
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "rights_basis": "public_domain",
            },
        )
        offer = made["upload"]
        async with self._studio.http.put(offer["url"], data=content, headers=offer["headers"]) as sent:
            sent.raise_for_status()
        done = await self._post(f"/v1/media/{made['id']}/complete", None)
        while done["state"] == "inspecting":
            done = await self._get(f"/v1/media/{made['id']}")
        if done["state"] != "ready":
            raise RuntimeError(f"not ready: {done}")
        return str(made["id"])

    async def check(
        self, subjects: Sequence[dict[str, Any]], media: Sequence[str]
    ) -> tuple[dict[str, float], float]:
        """Ask and wait for the end; return processor seconds by part of the product and the largest worker's MB."""
        pids = product_pids(self._studio.stack)
        before = {name: cpu_seconds([pid]) for name, pid in pids.items()}
        body = {
            "production_id": self._studio.production_id,
            "subjects": list(subjects),
            "material": [{"media_id": each} for each in media],
        }
        made = await self._post("/v1/consistency-checks", body, wait=False)
        peak = 0.0
        while not made.get("finished_at"):
            peak = max(peak, *(_megabytes(pid) for name, pid in pids.items() if name.startswith("worker")))
            await asyncio.sleep(0.5)
            made = await self._get(f"/v1/consistency-checks/{made['id']}", wait=False)
        shares: dict[str, float] = {}
        for name, pid in pids.items():
            part = name.partition("-")[0]
            shares[part] = shares.get(part, 0.0) + cpu_seconds([pid]) - before[name]
        return shares, peak

    async def _post(
        self, path: str, body: Any, *, wait: bool = True, token: str | None = None
    ) -> dict[str, Any]:
        headers = {**self._studio.headers, **(_WAIT if wait else {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        url = f"{self._studio.stack.api_url}{path}"
        async with self._studio.http.post(url, json=body, headers=headers) as answer:
            return await _read(answer)

    async def _get(self, path: str, *, wait: bool = True) -> dict[str, Any]:
        headers = {**self._studio.headers, **(_WAIT if wait else {})}
        async with self._studio.http.get(f"{self._studio.stack.api_url}{path}", headers=headers) as answer:
            return await _read(answer)


async def _read(answer: Any) -> dict[str, Any]:
    if answer.status >= 300:
        raise RuntimeError(f"{answer.url}: {answer.status} {await answer.text()}")
    return dict(await answer.json())


def _megabytes(pid: int) -> float:
    """Memory of a process with its children; what they share counts once (proportional set size)."""
    total = 0
    parent = psutil.Process(pid)
    for process in (parent, *parent.children(recursive=True)):
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


# --- the pictures ---------------------------------------------------------------------------------------------------


def _frame(number: int) -> Rgb:
    """A still of 1280 x 720 with one person in it (NASA's portrait of Eileen Collins), sized and placed by chance."""
    chance = np.random.default_rng(number)
    portrait = np.asarray(data.astronaut())  # type: ignore[no-untyped-call]
    side = int(chance.integers(420, 720))
    person = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
    ground = cv2.GaussianBlur(cv2.resize(portrait, (1280, 720)), (0, 0), 40)
    ground[720 - side :, (left := int(chance.integers(0, 1280 - side))) : left + side] = person
    lit = ground.astype(np.float32) * chance.uniform(0.75, 1.1) + chance.normal(0, 2, ground.shape)
    return np.asarray(np.clip(lit, 0, 255), dtype=np.uint8)


def _reference(who: int, number: int) -> Rgb:
    """A reference of one of ten people: the portrait, with another face for all but the first, cut by number."""
    chance = np.random.default_rng([who, number])
    portrait = _recast(np.asarray(data.astronaut()), who)  # type: ignore[no-untyped-call]
    left, top = (int(value) for value in chance.integers(0, 60, 2))
    cut = portrait[top : top + 420, left : left + 440].astype(np.float32)
    tinted = cut * chance.uniform(0.8, 1.1, 3) + chance.normal(0, 3, cut.shape)
    return np.asarray(np.clip(tinted, 0, 255), dtype=np.uint8)


def _recast(portrait: Rgb, who: int) -> Rgb:
    """Move eyes, nose, mouth and jaw by chance, and turn the colours: somebody else on the same shoulders."""
    if who == 0:
        return portrait
    chance = np.random.default_rng(1000 + who)
    rows, columns = np.mgrid[0:512, 0:512].astype(np.float32)
    dx, dy = columns - 226, rows - 120
    inside = np.clip(1 - (dx / 62) ** 2 - (dy / 78) ** 2, 0, 1)
    wider, longer, lower = chance.uniform(-0.2, 0.2), chance.uniform(-0.2, 0.2), chance.uniform(-8, 8)
    across = columns + dx * inside * (wider + chance.uniform(-0.6, 0.6) * np.clip(-dy / 60, -1, 1))
    down = rows + inside * (longer * dy + lower + 6 * np.sin(dy / 18 + chance.uniform(0, 6)))
    moved = cv2.remap(portrait, across.astype(np.float32), down.astype(np.float32), cv2.INTER_LINEAR)
    hsv = cv2.cvtColor(moved, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + np.where(rows > 215, 18 * who, 0)) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), dtype=np.uint8)


def _write(path: Path, rgb: Rgb) -> Path:
    cv2.imwrite(str(path), rgb[:, :, ::-1])
    return path

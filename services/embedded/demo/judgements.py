"""What the demo claims of judgements, as functions that say what is wrong. None: the claim holds.

Like `checks`, they share no code with the product: they read its answers as any studio would.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

Found = Mapping[str, Any]

_MISMATCH = {
    "face": "identity_below_threshold",
    "hair": "hair_mismatch",
    "wardrobe": "wardrobe_mismatch",
}


def unsound(references: Sequence[Found]) -> str | None:
    """Say which references aren't ready, or have something wrong with them."""
    found = [
        ", ".join(each["code"] for each in one["findings"]) or one["state"]
        for one in references
        if one["state"] != "ready" or one["findings"]
    ]
    return f"expected nothing wrong, found: {'; '.join(found)}" if found or not references else None


def untold(reference: Found, code: str) -> str | None:
    """Say that a picture's fault, which is known, wasn't found."""
    told = [finding["code"] for finding in reference["findings"]]
    return None if code in told else f"expected {code}, found {', '.join(told) or 'nothing'}"


def one_broken(check: Found, results: Sequence[Found], altered: str, aspect: str) -> str | None:
    """Say what keeps a check from naming exactly this shot for exactly this aspect, every other passing.

    `altered`: the shot as `shot_id` has it. One character, one take in every shot.
    """
    for one in results:
        shot, judged = one["shot_id"], one["results"]
        if len(judged) != 1:
            return f"expected one judgement of {shot}, got {len(judged)}"
        wrong = _altered(judged[0], aspect) if shot == altered else _unaltered(judged[0])
        if wrong is not None:
            return f"{shot}: {wrong}"
    if altered not in {one["shot_id"] for one in results}:
        return "the altered shot isn't among those judged"
    if check["verdict"] != "fail":
        return f"expected the check to fail, it says {check['verdict']}"
    breaks = [one for subject in check["summary"].get("subjects", []) for one in subject["breaks"]]
    aspects = [one["aspects"] for one in breaks]
    return None if aspects == [[aspect]] else f"expected one break, of {aspect}, the sequence has {aspects}"


def _altered(judged: Found, aspect: str) -> str | None:
    if judged["verdict"] != "fail" or judged["broken"] != [aspect]:
        return f"expected fail by {aspect}, got {judged['verdict']} by {', '.join(judged['broken']) or 'nothing'}"
    reason = _MISMATCH[aspect]
    return None if reason in judged["reasons"] else f"expected {reason} among {judged['reasons']}"


def _unaltered(judged: Found) -> str | None:
    if judged["verdict"] == "pass":
        return None
    return f"expected a pass, got {judged['verdict']} ({', '.join(judged['reasons'])}; {judged['scores']})"


def all_pass(check: Found, results: Sequence[Found], shots: int) -> str | None:
    """Say what keeps a check from passing in every one of these shots."""
    verdicts = [judged["verdict"] for one in results for judged in one["results"]]
    if check["verdict"] == "pass" and verdicts == ["pass"] * shots:
        return None
    return f"expected {shots} passes, got {check['verdict']}: {', '.join(verdicts)}"


def cured(enforcement: Found, aspect: str, cap: Decimal) -> str | None:
    """Say what keeps an enforcement from having ended in a pass below its cap, each attempt but the last failing by
    the aspect, and what it says it spent being what its attempts cost."""
    attempts = enforcement["attempts"]
    if enforcement["state"] != "passed":
        why = enforcement["detail"] or enforcement["stop_reason"]
        return f"expected passed, got {enforcement['state']}: {why}"
    wanted = ["fail"] * (len(attempts) - 1) + ["pass"]
    verdicts = [one["verdict"] for one in attempts]
    if verdicts != wanted or len(attempts) < 2:  # noqa: PLR2004 - one that failed, one that passed
        return f"expected some to fail and the last to pass, got {', '.join(map(str, verdicts))}"
    others = [one["broken"] for one in attempts[:-1] if one["broken"] != [aspect]]
    if others:
        return f"expected the failed ones to fail by {aspect}, got {others}"
    if enforcement["best_take_id"] != attempts[-1]["take_id"]:
        return "expected the take that passed to be the best"
    spent, sum_of = Decimal(enforcement["spent_usd"]), sum(Decimal(one["cost_usd"]) for one in attempts)
    if spent != sum_of or Decimal(enforcement["at_most_usd"]) > cap:
        return f"expected {sum_of} US dollars spent and at most {cap}, it says {spent}, at most {enforcement['at_most_usd']}"
    return None

"""`python -m conformance --profile NAME --max-usd 6`: the offline servers against AWS, call by call."""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from conformance.budget import Budget
from conformance.cases import Case, all_cases
from conformance.observation import Observation
from conformance.places import NotThere, Place, aws, identity, offline
from conformance.report import write

DIFFERENT, REFUSED = 1, 2

_DESCRIPTION = """\
Sends every dialect's smallest valid request once to Bedrock, and calls that must be refused to Bedrock, S3 and STS;
sends the same to the offline servers; writes redacted recordings and what differs. Costs money: the plan says how
much, --max-usd is never passed, and nothing is sent twice. Exit codes: 0 alike, 1 different, 2 not run.
"""


def main(argv: Sequence[str] | None = None) -> int:
    asked = _arguments(argv)
    cases = [
        case for case in all_cases(asked.region) if not asked.only or any(o in case.name for o in asked.only)
    ]
    if not cases:
        print("No case has such a name; --list shows them.", file=sys.stderr)
        return REFUSED
    if asked.list:
        _show(cases, {})
        return 0
    try:
        return _compare(asked, cases)
    except NotThere as refused:
        print(refused, file=sys.stderr)
        return REFUSED


def _compare(asked: argparse.Namespace, cases: list[Case]) -> int:
    left_out = dict.fromkeys((case.name for case in cases), "not asked")
    if not asked.offline_only:
        left_out = _plan(asked, cases)
        _agree(asked, cases, left_out)
    ours: dict[str, Observation] = {}
    theirs: dict[str, Observation] = {}
    with offline() as place:
        _run(place, cases, ours)
    try:
        if not asked.offline_only:
            _ask_aws(asked, [case for case in cases if case.name not in left_out], theirs)
    finally:  # what was paid for is kept, however it ends
        found = write(asked.output, cases, ours, theirs, left_out)
    different = [name for name, each in found.items() if each]
    print(f"{len(found)} compared, {len(different)} different: {asked.output / 'report.md'}")
    return DIFFERENT if different else 0


def _ask_aws(asked: argparse.Namespace, cases: list[Case], into: dict[str, Observation]) -> None:
    budget = Budget(asked.max_usd)
    with aws(
        asked.profile,
        asked.region,
        bucket=asked.bucket,
        role_arn=asked.role_arn,
        external_id=asked.external_id,
    ) as place:
        _run(place, cases, into, budget)
    print(f"AWS: at most {budget.charged} USD of {asked.max_usd}.")


def _plan(asked: argparse.Namespace, cases: list[Case]) -> dict[str, str]:
    """Return the cases that won't be sent, with the reason. Nothing has been sent yet."""
    budget, left_out = Budget(asked.max_usd), {}
    for case in cases:
        if case.needs_role and not asked.role_arn:
            left_out[case.name] = "left out: needs --role-arn"
        elif not budget.charge(case):
            left_out[case.name] = f"left out: could cost {case.at_most} USD, which --max-usd doesn't leave"
    return left_out


def _agree(asked: argparse.Namespace, cases: list[Case], left_out: dict[str, str]) -> None:
    """Show the plan and get a yes. Raises NotThere when the sure costs pass the limit or nobody says yes."""
    _, account = identity(asked.profile, asked.region)
    _show(cases, left_out)
    sure = sum((case.usd for case in cases), Decimal(0))
    if sure > asked.max_usd:
        raise NotThere(
            f"These cases cost {sure} USD, more than --max-usd {asked.max_usd}. Narrow them with --only."
        )
    print(f"In account …{account[-4:]}, {asked.region}: {sure} USD if all goes as it should.")
    if asked.yes or os.environ.get("CI"):  # noqa: TID251 - this file is the composition root
        return
    if not sys.stdin.isatty() or input("Send them? yes/no: ").strip() != "yes":
        raise NotThere("Nothing was sent: say yes, or give --yes.")


def _show(cases: list[Case], left_out: dict[str, str]) -> None:
    for case in cases:
        why = left_out.get(case.name, "")
        print(
            f"{case.usd:>6} USD  at most {case.at_most:>5}  {case.name}: {case.what}{'  – ' if why else ''}{why}"
        )


def _run(place: Place, cases: list[Case], into: dict[str, Observation], budget: Budget | None = None) -> None:
    for case in cases:
        if budget is not None and not budget.charge(case):
            continue
        try:
            into[case.name] = case.run(place)
        except (BotoCoreError, ClientError) as error:  # of what prepares a case, not of the call it compares
            into[case.name] = Observation(None, f"not reached: {type(error).__name__}")
        print(f"{place.name}: {case.name}: {into[case.name].status or into[case.name].error_type}")


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m conformance",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", help="AWS profile (default: the environment's own credentials)")
    parser.add_argument(
        "--max-usd", type=_usd, default=Decimal(6), metavar="USD", help="default: %(default)s"
    )
    parser.add_argument("--region", default="us-west-2", help="default: %(default)s, which has every model")
    parser.add_argument(
        "--only", action="append", metavar="TEXT", help="cases whose name has this; repeatable"
    )
    parser.add_argument("--bucket", help="use this one, under a prefix of our own, instead of making one")
    parser.add_argument("--role-arn", help="a role to assume for the cases about sessions")
    parser.add_argument("--external-id", help="what that role asks for")
    parser.add_argument(
        "--output", type=Path, default=Path("conformance-recordings"), help="default: %(default)s"
    )
    parser.add_argument(
        "--offline-only", action="store_true", help="run the offline half alone; costs nothing"
    )
    parser.add_argument("--list", action="store_true", help="show the cases with their prices, and stop")
    parser.add_argument("--yes", action="store_true", help="don't ask before sending")
    return parser.parse_args(argv)


def _usd(text: str) -> Decimal:
    with contextlib.suppress(InvalidOperation):
        amount = Decimal(text)
        if amount.is_finite() and amount >= 0:
            return amount
    raise argparse.ArgumentTypeError("an amount in US dollars, for example 5 or 0.50")


if __name__ == "__main__":
    sys.exit(main())

"""`python -m services.embedded people …`: who can sign in at this stack."""

import argparse
from collections.abc import Callable

from services.embedded.home import Home
from services.embedded.sign_in.people import ROLES, PeopleFile, Refused


def describe(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    commands = parser.add_subparsers(dest="people_command", required=True)
    add = commands.add_parser(
        "add", parents=[shared], help="enter a person, or change the one with this subject"
    )
    add.add_argument("--studio", required=True, help="the tenant's slug")
    add.add_argument("--name", required=True)
    add.add_argument("--role", action="append", choices=ROLES, default=[], help="may be given several times")
    add.add_argument("--subject", help="who it is for good (default: made up)")
    commands.add_parser("list", parents=[shared], help="print everybody, with passwords")


def run(arguments: argparse.Namespace, home: Home, say: Callable[[str], None] = print) -> int:
    home.create()
    people = PeopleFile(home.path)
    if arguments.people_command == "add":
        try:
            added = people.put(arguments.studio, arguments.name, arguments.role, arguments.subject)
        except Refused as refusal:
            say(str(refusal))
            return 1
        shown = [added]
    else:
        shown = people.all()
    for each in shown:
        roles = ", ".join(each.roles) or "no role"
        say(f"{each.studio:20} {each.name:24} {each.password:16} {each.subject:18} {roles}")
    return 0

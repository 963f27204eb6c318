"""Who can sign in at an embedded stack: files of its home."""

import json
import stat
from pathlib import Path

import pytest

from services.embedded.home import PORTS, Home
from services.embedded.sign_in.people import PeopleFile, Refused
from services.embedded.sign_in.tokens import Minter


def test_people_and_key_are_their_owners_alone(tmp_path: Path) -> None:
    """Passwords and the signing key can be read by nobody else, and stay the same from start to start."""
    people = PeopleFile(tmp_path)
    ada = people.put("northlight", "Ada", ["approver"])
    key = Minter.of_home(tmp_path, "http://127.0.0.1:1").key.kid
    for name in ("people.json", "sign-in-key.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert PeopleFile(tmp_path).find("northlight", ada.subject) == ada
    assert Minter.of_home(tmp_path, "http://127.0.0.1:1").key.kid == key
    assert ada.password not in repr(ada)


def test_a_person_changes_and_stays_the_same_subject(tmp_path: Path) -> None:
    """Another name and other roles keep subject and password; another studio's person is another one."""
    people = PeopleFile(tmp_path)
    before = people.put("northlight", "Ada", ["reviewer"], "ada")
    after = people.put("northlight", "Ada Marsh", ["approver"], "ada")
    assert (after.subject, after.password, after.roles) == ("ada", before.password, ("approver",))
    assert people.put("southlight", "Ada", ["reviewer"], "ada").password != before.password
    assert [each.name for each in people.of("northlight")] == ["Ada Marsh"]


@pytest.mark.parametrize(
    ("studio", "name", "role"),
    [("north light", "Ada", "approver"), ("n1", " ", "approver"), ("n1", "A", "king")],
)
def test_what_can_not_be_a_person_is_refused(tmp_path: Path, studio: str, name: str, role: str) -> None:
    """Misspelt roles and names that can't be read are told at once."""
    with pytest.raises(Refused):
        PeopleFile(tmp_path).put(studio, name, [role])


def test_a_home_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    """What was added since is made; ports and secrets that were there stay."""
    home = Home(tmp_path)
    whole = json.loads(json.dumps(_stored(home)))
    older = {name: value for name, value in whole.items() if name != "sign_in_secret"}
    older["ports"] = {name: port for name, port in whole["ports"].items() if name != "sign_in"}
    (tmp_path / "stack.json").write_text(json.dumps(older))
    facts = Home(tmp_path).facts()
    assert facts.ports.keys() == set(PORTS)
    assert {name: facts.ports[name] for name in older["ports"]} == older["ports"]
    assert (facts.admin_key, facts.sign_in_secret != "") == (whole["admin_key"], True)
    assert Home(tmp_path).facts() == facts


def _stored(home: Home) -> dict[str, object]:
    home.facts()
    found: dict[str, object] = json.loads((home.path / "stack.json").read_text())
    return found

"""People sign in with their studio's own provider: who they are, and what they may do."""

from tests.gateway import Studio


async def test_a_person_is_known_by_the_tokens_subject(studio: Studio) -> None:
    """The same subject is one person, with the name and the roles of the last token."""
    ada = await studio.person("reviewer", name="Ada", subject="ada-1")
    first = (await ada.get("/v1/me")).json
    again = await studio.person("approver", name="Ada Lovelace", subject="ada-1")
    second = (await again.get("/v1/me")).json
    assert (first["kind"], first["roles"]) == ("person", ["reviewer"])
    assert second["person_id"] == first["person_id"]
    assert (second["name"], second["roles"]) == ("Ada Lovelace", ["approver"])
    listed = (await studio.get("/v1/people?limit=200")).json["data"]
    assert [each["name"] for each in listed if each["id"] == first["person_id"]] == ["Ada Lovelace"]


async def test_a_key_is_nobody(studio: Studio) -> None:
    """A key has scopes and no role."""
    me = (await studio.get("/v1/me")).json
    assert (me["kind"], me["person_id"], me["roles"]) == ("key", None, [])

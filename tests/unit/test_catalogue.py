"""The catalogue of models: what it says, and how a wrong file is refused."""

import json
import re
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import pytest

import circletake.data
from circletake.adapters.catalogue.files import load_catalogue
from circletake.adapters.catalogue.places import CatalogueFault
from circletake.domain.availability import ends_within, lifecycle_on, refusal
from circletake.domain.cards import card_document, card_from
from circletake.domain.costs import quote
from circletake.domain.drafts import Draft, draft_controls, drafted
from circletake.domain.kinds import Kind
from circletake.domain.pictures import ModelUse
from tests.unit.model_requests import OUTPAINT, RAY2, SD35, card_of, catalogue

OWN = Path(circletake.data.__file__).parent / "models.yaml"
TODAY = date(2026, 11, 22)
STUDIO_MODEL = """\
version: 1
models:
  - id: studio.own-v1
    name: Studio's own
    provider: Studio
    dialect: stability_text
    kinds: [concept_art]
    mode: sync
    regions: [us-west-2]
    lifecycle: active
    price: {unit: image, usd: "0.02", as_of: 2026-11-01, source: our contract, confirmed: true}
    controls: [output_format]
    seed: honoured
    limits:
      prompt_max_chars: 100
      controls:
        output_format: {values: [png], default: png}
    on_unknown: hold
    max_running: 2
    timeout_seconds: 60
    digital_source_type: trainedAlgorithmicMedia
    terms:
      url: https://studio.example/terms
      captured_on: 2026-11-01
      sha256: null
      training_on_inputs: "no"
      shared_with_provider: "no"
      indemnity: ours
      source: our contract
    unconfirmed: []
defaults:
  concept_art: studio.own-v1
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "studio.yaml"
    path.write_text(dedent(text), "utf-8")
    return path


def refused(tmp_path: Path, text: str) -> str:
    path = written(tmp_path, text)
    with pytest.raises(CatalogueFault) as fault:
        load_catalogue(path)
    assert str(path) in str(fault.value)
    return str(fault.value)


@pytest.mark.parametrize(
    ("kind", "model_id"),
    [
        ("concept_art", SD35),
        ("set_extension", OUTPAINT),
        ("cleanup", "us.stability.stable-image-erase-object-v1:0"),
        ("element", "us.stability.stable-image-inpaint-v1:0"),
        ("previs_shot", RAY2),
    ],
)
def test_every_kind_has_a_live_default(kind, model_id):
    """A request that names no model runs."""
    card = catalogue().default_for(kind)
    assert (card.id, card.lifecycle) == (model_id, "active")
    assert Kind(kind) in card.kinds


@pytest.mark.parametrize(
    ("model_id", "ended"),
    [
        ("amazon.nova-canvas-v1:0", date(2026, 9, 30)),
        ("amazon.nova-reel-v1:0", date(2026, 9, 30)),
        ("amazon.nova-reel-v1:1", date(2026, 9, 30)),
        ("amazon.titan-image-generator-v2:0", date(2026, 6, 30)),
    ],
)
def test_an_ended_model_is_shown_and_refused_with_what_to_use_instead(model_id, ended):
    """An old script gets an answer it can act on."""
    card = card_of(model_id)
    assert (card.lifecycle, card.eol_on) == ("eol", ended)
    found = refusal(card, next(iter(card.kinds)), TODAY)
    assert found is not None
    assert (found.pointer, found.code) == ("/model", "model_ended")
    assert any(live in found.message for live in (SD35, RAY2))


@pytest.mark.parametrize(
    ("model_id", "ended"),
    [
        ("us.amazon.nova-premier-v1:0", date(2026, 9, 14)),
        ("us.anthropic.claude-3-haiku-20240307-v1:0", date(2026, 9, 10)),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", date(2026, 10, 14)),
    ],
)
def test_an_ended_language_model_names_a_successor_that_is_alive(model_id, ended):
    """The date and an id to use instead."""
    card = card_of(model_id)
    assert (lifecycle_on(card, TODAY), card.eol_on) == ("eol", ended)
    named = re.findall(r"us\.[a-z0-9.:-]*[a-z0-9]", card.successor or "")
    assert named
    for successor in named:
        assert lifecycle_on(card_of(successor), TODAY) == "active"
        assert ModelUse.LANGUAGE in card_of(successor).uses


def test_a_live_model_is_not_refused_for_a_kind_it_serves_and_is_for_others():
    """The refusal names the kinds."""
    card = card_of(SD35)
    assert refusal(card, Kind.CONCEPT_ART, TODAY) is None
    found = refusal(card, Kind.CLEANUP, TODAY)
    assert found is not None
    assert "concept_art" in found.message


def test_a_date_of_end_that_has_come_counts_whatever_the_file_says(tmp_path):
    """A catalogue may be older than a model's end."""
    card = load_catalogue(
        written(
            tmp_path, STUDIO_MODEL.replace("lifecycle: active", "lifecycle: legacy\n    eol_on: 2027-01-08")
        )
    ).get("studio.own-v1")
    assert card is not None
    assert lifecycle_on(card, date(2027, 1, 7)) == "legacy"
    assert lifecycle_on(card, date(2027, 1, 8)) == "eol"
    assert ends_within(card, TODAY, timedelta(days=60))
    assert not ends_within(card, TODAY, timedelta(days=40))


def test_a_price_nobody_confirmed_says_so():
    """Ray2's price is in no list that was read."""
    card = card_of(RAY2)
    assert not card.price.confirmed
    assert any("price" in each for each in card.unconfirmed)
    assert card.price.by_resolution == {"540p": Decimal("0.75"), "720p": Decimal("1.50")}


def test_a_synchronous_paid_call_is_never_repeated_blindly():
    """It has no token: a repeat could be paid twice."""
    for card in catalogue().all():
        if card.mode == "sync":
            assert card.on_unknown == "hold"


def test_the_offline_stack_does_not_claim_a_trained_model():
    """Its pictures come from algorithms and must say so; nothing else changes."""
    offline = {card.id: card for card in load_catalogue(offline=True).all()}
    for card in catalogue().all():
        assert card.digital_source_type == "trainedAlgorithmicMedia"
        assert offline[card.id].digital_source_type == "algorithmicMedia"
        assert offline[card.id].price == card.price


def test_a_studios_file_adds_a_model_and_changes_a_default(tmp_path):
    """Without code, and without losing what the product knows."""
    found = load_catalogue(written(tmp_path, STUDIO_MODEL))
    assert found.default_for("concept_art").name == "Studio's own"
    assert found.default_for("cleanup").id == catalogue().default_for("cleanup").id
    assert len(found.all()) == len(catalogue().all()) + 1


def test_a_studios_file_replaces_a_model_of_the_same_id(tmp_path):
    """A negotiated price, for example."""
    kinds = "kinds: [concept_art, look_development, character_sheet]"
    text = STUDIO_MODEL.replace("studio.own-v1", SD35).replace("kinds: [concept_art]", kinds)
    card = load_catalogue(written(tmp_path, text)).get(SD35)
    assert card is not None
    assert card.price.usd == Decimal("0.02")


def test_an_unknown_model_or_kind_is_not_found():
    """None and ValueError, never another model."""
    assert catalogue().get("stability.sd9") is None
    with pytest.raises(ValueError, match="banana"):
        catalogue().default_for("banana")


@pytest.mark.parametrize(
    ("old", "new", "where", "word"),
    [
        ("    mode: sync", "    mode: sync\n    colour: red", "colour: red", "colour"),
        ('usd: "0.02"', "usd: 0.02", "usd: 0.02", "quotes"),
        ('usd: "0.02"', 'usd: "-1"', 'usd: "-1"', "usd"),
        ("dialect: stability_text", "dialect: klingon", "- id: ", "klingon"),
        ("controls: [output_format]", "controls: [output_format, warp]", "- id: ", "warp"),
        ("default: png", "default: tiff", "default: tiff", "default"),
        ("lifecycle: active", "lifecycle: eol", "- id: ", "eol_on"),
        ("kinds: [concept_art]", "kinds: [poetry]", "kinds: ", "kinds"),
        ("concept_art: studio.own-v1", "cleanup: studio.own-v1", "cleanup: ", "does not serve"),
        ("concept_art: studio.own-v1", "concept_art: nobody", ": nobody", "not in the catalogue"),
        ("max_running: 2", "max_running: 0", "- id: ", "max_running"),
        ("    name: Studio's own", "    name: A\n    name: B", "name: B", "twice"),
        ("    seed: honoured\n", "", "- id: ", "seed"),
        ("source_type: trainedAlgorithmicMedia", "source_type: digitalCapture", "digitalCapture", "digital"),
        ("version: 1", "version: 2", "version: 2", "version"),
    ],
)
def test_a_wrong_file_is_refused_at_the_line(tmp_path, old, new, where, word):
    """Who edits the file learns where and what."""
    assert old in STUDIO_MODEL
    text = STUDIO_MODEL.replace(old, new)
    line = next(number for number, each in enumerate(text.splitlines(), 1) if where in each)
    message = refused(tmp_path, text)
    assert f"studio.yaml:{line}:" in message
    assert word in message


@pytest.mark.parametrize(
    "text", ["", "- a list", "{", "version: 1\nmodels: !!python/object/apply:os.getcwd []", "\x07"]
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path, text):
    """Also one that would run code in a careless parser."""
    refused(tmp_path, text)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """A mistyped path must not mean the product's own catalogue."""
    with pytest.raises(CatalogueFault, match=r"gone\.yaml"):
        load_catalogue(tmp_path / "gone.yaml")


def test_a_model_given_twice_is_refused(tmp_path):
    """Which of the two prices would count?"""
    start, end = STUDIO_MODEL.index("  - id"), STUDIO_MODEL.index("defaults:")
    block = STUDIO_MODEL[start:end]
    assert "given twice" in refused(tmp_path, STUDIO_MODEL[:end] + block + STUDIO_MODEL[end:])


def test_a_kind_without_a_default_is_refused(tmp_path):
    """Found when the process starts, not when somebody asks."""
    base = written(tmp_path, OWN.read_text("utf-8").replace(f"  previs_shot: {RAY2}\n", ""))
    with pytest.raises(CatalogueFault, match="previs_shot has no default"):
        load_catalogue(base=base)


def test_a_resolution_without_a_price_is_refused(tmp_path):
    """Every length that is sold has a price."""
    own = OWN.read_text("utf-8").replace('{540p: "0.75", 720p: "1.50"}', '{540p: "0.75"}')
    with pytest.raises(CatalogueFault, match="no price for 720p"):
        load_catalogue(base=written(tmp_path, own))


STUDIO_ARN = "arn:aws:bedrock:us-west-2:123456789012:provisioned-model/abc123def456"


def test_a_studio_brings_a_model_by_arn(tmp_path):
    """Its id is the ARN that Bedrock is called with; its dialect says of which family it is."""
    own = written(tmp_path, STUDIO_MODEL.replace("studio.own-v1", STUDIO_ARN))
    card = load_catalogue(own).get(STUDIO_ARN)
    assert card is not None
    assert refusal(card, Kind.CONCEPT_ART, TODAY) is None


@pytest.mark.parametrize(
    ("model_id", "uses"),
    [
        ("amazon.nova-2-multimodal-embeddings-v1:0", {"embedding"}),
        ("amazon.titan-embed-image-v1", {"embedding"}),
        ("us.amazon.nova-2-lite-v1:0", {"judge", "language"}),
        ("us.amazon.nova-pro-v1:0", {"judge", "language"}),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", {"judge", "language"}),
        ("us.amazon.nova-micro-v1:0", {"language"}),
        ("us.anthropic.claude-sonnet-5-5", {"language"}),
    ],
)
def test_a_model_that_makes_no_takes_is_refused_for_every_kind(model_id, uses):
    """It is in the catalogue for its use, priced with a source, and says what it is not for."""
    card = card_of(model_id)
    assert (card.kinds, card.uses) == (frozenset(), uses)
    assert card.price.source
    for kind in Kind:
        found = refusal(card, kind, TODAY)
        assert found is not None
        assert found.code == "kind_not_served"
        assert "no generations" in found.message


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("kinds: [concept_art]", "kinds: []", "kinds or uses"),
        ("kinds: [concept_art]", "kinds: []\n    uses: [oracle]", "uses"),
        ("kinds: [concept_art]", "kinds: []\n    uses: [judge]", "no dialect"),
        ("kinds: [concept_art]", "kinds: [concept_art]\n    uses: [embedding]", "no dialect"),
        ("unit: image", "unit: 1000_tokens", "usd_output"),
        ('usd: "0.02"', 'usd: "0.02", usd_output: "0.01"', "usd_output"),
        (
            "unit: image, usd:",
            'unit: 1000_tokens, usd_output: "0.01", usd:',
            "per image or per second",
        ),
        (
            "dialect: stability_text\n    kinds: [concept_art]",
            "dialect: titan_embedding\n    uses: [embedding]",
            "limits for dimensions and picture",
        ),
        (
            "dialect: stability_text\n    kinds: [concept_art]",
            "dialect: converse_judge\n    uses: [judge]",
            "a judge needs limits",
        ),
        (
            "dialect: stability_text\n    kinds: [concept_art]",
            "dialect: converse_text\n    uses: [language]",
            "a language model needs limits",
        ),
    ],
)
def test_a_use_without_what_it_needs_is_refused(tmp_path, old, new, word):
    """A judge without a price per token, an embedder without dimensions: found when the process starts."""
    assert old in STUDIO_MODEL
    text = STUDIO_MODEL.replace(old, new).replace("defaults:\n  concept_art: studio.own-v1\n", "")
    assert word in refused(tmp_path, text)


# --- drafts, versions, fingerprints, kept cards -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "version"),
    [
        (SD35, "v1:0"),
        ("stability.stable-image-core-v1:1", "v1:1"),
        ("amazon.titan-embed-image-v1", "v1"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "v1:0"),
    ],
)
def test_a_model_has_the_version_its_id_ends_in(model_id, version):
    """What a production locks."""
    assert card_of(model_id).version == version


def test_a_model_brought_by_arn_says_its_version_or_has_none(tmp_path):
    """An ARN ends in no version; the entry may give one."""
    text = STUDIO_MODEL.replace("studio.own-v1", STUDIO_ARN)
    found = load_catalogue(written(tmp_path, text)).get(STUDIO_ARN)
    said = load_catalogue(written(tmp_path, text.replace("    name: ", '    version: "7"\n    name: '))).get(
        STUDIO_ARN
    )
    assert found is not None
    assert said is not None
    assert (found.version, said.version) == (None, "7")
    assert found.fingerprint != said.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("prompt_max_chars: 100", "prompt_max_chars: 101", True),
        ("default: png}", "default: png}\n    native: {controls: {output_format: format}}", True),
        ("seed: honoured", "seed: unsupported", True),
        ('usd: "0.02"', 'usd: "0.03"', False),
        ("indemnity: ours", "indemnity: theirs", False),
        ("name: Studio's own", "name: Studio's other", False),
        ("max_running: 2", "max_running: 3", False),
    ],
)
def test_a_fingerprint_changes_with_what_is_sent_and_with_nothing_else(tmp_path, old, new, changes):
    """A new price is no new model; another limit or member is, as far as anybody can tell."""
    assert old in STUDIO_MODEL
    one = load_catalogue(written(tmp_path, STUDIO_MODEL)).get("studio.own-v1")
    other = load_catalogue(written(tmp_path, STUDIO_MODEL.replace(old, new))).get("studio.own-v1")
    assert one is not None
    assert other is not None
    assert (one.fingerprint != other.fingerprint) is changes


def test_a_fingerprint_is_the_same_offline():
    """A golden shot of the offline stack names the same model."""
    for card in load_catalogue(offline=True).all():
        assert card.fingerprint == card_of(card.id).fingerprint


def test_every_card_comes_back_from_its_document():
    """A production's lock keeps a card as JSON and runs with it when the catalogue has moved on."""
    for card in catalogue().all():
        kept = json.loads(json.dumps(card_document(card)))
        assert card_from(kept) == card
        assert card_from({**kept, "of_a_later_version": 1}) == card


@pytest.mark.parametrize("junk", [{}, {"id": "x"}, {"price": None}, {"price": {"usd": "x"}}])
def test_what_was_never_a_card_is_refused(junk):
    """Rather than run with half of it."""
    with pytest.raises(ValueError, match="card"):
        card_from(junk)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_a_draft_that_costs_no_more_than_its_default(kind):
    """A draft is the cheapest useful take of its kind."""
    found = catalogue()
    default, draft = found.default_for(kind), found.draft_for(kind)
    card = found.get(draft.model) if draft.model else default
    assert card is not None
    cheap = quote(card, kind, 1, draft_controls(card, draft, {})).total
    assert cheap <= quote(default, kind, 1, {}).total
    assert draft.model is not None or draft.input_max_pixels is not None


def test_a_draft_lowers_what_pictures_are_fitted_to_and_never_past_what_the_model_needs():
    """The plate's copy is smaller; the limits that refuse a request stay where they are."""
    plain, keyed = card_of(OUTPAINT), card_of(RAY2)
    small = drafted(plain, Draft(input_max_pixels=1_048_576))
    assert small.limits["inputs"]["plate"]["max_pixels"] == 1_048_576
    assert plain.limits["inputs"]["plate"]["max_pixels"] == 9_437_184
    tiny = drafted(keyed, Draft(input_max_pixels=1000))
    assert tiny.limits["inputs"]["first_frame"]["max_pixels"] == 512 * 512
    assert drafted(plain, Draft()) == plain


def test_a_drafts_controls_stand_over_what_was_asked_for():
    """They decide the cost; a model that lacks one isn't sent it."""
    draft = catalogue().draft_for("previs_shot")
    sent = draft_controls(card_of(RAY2), draft, {"resolution": "720p", "loop": True})
    assert sent == {"resolution": "540p", "duration_seconds": 5, "loop": True}
    assert draft_controls(card_of(SD35), draft, {}) == {}


@pytest.mark.parametrize(
    ("draft", "word"),
    [
        ("concept_art: {model: nobody}", "not in the catalogue"),
        ("cleanup: {model: studio.own-v1}", "does not serve"),
        ("concept_art: {model: amazon.nova-canvas-v1:0}", "ended"),
        ("concept_art: {controls: {warp: 9}}", "no such control"),
        ("concept_art: {model: studio.own-v1, controls: {loop: true}}", "no control"),
        ("concept_art: {model: studio.own-v1, controls: {output_format: jpeg}}", "doesn't offer"),
        ("concept_art: {input_max_pixels: 0}", "input_max_pixels"),
    ],
)
def test_a_draft_that_could_not_be_made_is_refused(tmp_path, draft, word):
    """Found when the process starts, with the line."""
    assert word in refused(tmp_path, STUDIO_MODEL + f"drafts:\n  {draft}\n")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        (
            "      controls:\n",
            "      inputs: {reference: {min_side: 64, max_bytes: 9, media_types: [image/png]}}\n      controls:\n",
            "under which member a reference is sent",
        ),
        ("    on_unknown:", "    native: {inputs: {sketch: image}}\n    on_unknown:", "has no limits.inputs"),
        ("    on_unknown:", "    native: {controls: {loop: again}}\n    on_unknown:", "native.controls"),
        ("    on_unknown:", "    native: {verbs: 1}\n    on_unknown:", "verbs"),
        ("      prompt_max_chars", "      prompt: refused\n      prompt_max_chars", "needs a prompt"),
        ("kinds: [concept_art]", "kinds: [concept_art, upscale]", "upscale needs a source"),
        ("kinds: [concept_art]", "kinds: [concept_art, replace]", "replace needs native.search_prompt"),
    ],
)
def test_an_entry_that_no_request_could_be_built_from_is_refused(tmp_path, old, new, word):
    """What is missing between the limits and the model's own language is said when the process starts."""
    assert old in STUDIO_MODEL
    assert word in refused(tmp_path, STUDIO_MODEL.replace(old, new))


def test_a_model_that_needs_a_picture_serves_no_kind_without_it(tmp_path):
    """A required plate for concept art would refuse every request."""
    plate = "{required: true, min_side: 64, max_bytes: 9, media_types: [image/png]}"
    text = STUDIO_MODEL.replace("      controls:\n", f"      inputs: {{plate: {plate}}}\n      controls:\n")
    text = text.replace("    on_unknown:", "    native: {inputs: {plate: image}}\n    on_unknown:")
    assert "the model needs a plate, and a concept_art has none" in refused(tmp_path, text)


def test_two_pictures_of_one_request_are_never_sent_under_one_member(tmp_path):
    """One would be lost."""
    picture = "{min_side: 64, max_bytes: 9, media_types: [image/png]}"
    inputs = f"      inputs: {{reference: {picture}, sketch: {picture}}}\n      controls:\n"
    text = STUDIO_MODEL.replace("      controls:\n", inputs)
    native = "    native: {inputs: {reference: image, sketch: image}}\n    on_unknown:"
    assert "two pictures of a concept_art" in refused(tmp_path, text.replace("    on_unknown:", native))

"""A model's card as a plain document and back: what a production keeps of the model that it chose.

A kept card outlives the catalogue it came from. Money is text, dates are ISO 8601, sets are sorted lists.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

from circletake.domain.kinds import Kind
from circletake.domain.pictures import ModelCard, ModelUse, Price

_VERSION = re.compile(r"-(v\d+(?::\d+)?)$")


def version_of(model_id: str) -> str | None:
    """Return the version that an id of Bedrock ends in, as `v1:0`; None for an ARN and for an id without one."""
    found = None if model_id.startswith("arn:") else _VERSION.search(model_id)
    return found.group(1) if found else None


def card_document(card: ModelCard) -> dict[str, Any]:
    """Return the card as JSON values: `card_from` makes an equal card of it."""
    document = {each.name: _plain(getattr(card, each.name)) for each in fields(ModelCard)}
    document["price"] = {each.name: _plain(getattr(card.price, each.name)) for each in fields(Price)}
    return document


def card_from(document: Mapping[str, Any]) -> ModelCard:
    """Return the card of a document. Members that this version doesn't know are left out.

    Raises ValueError for what was never a card.
    """
    try:
        price = {**document["price"]}
        known = {each.name: document[each.name] for each in fields(ModelCard) if each.name in document}
        known["price"] = Price(
            price["unit"],
            Decimal(price["usd"]),
            {name: Decimal(usd) for name, usd in price["by_resolution"].items()},
            date.fromisoformat(price["as_of"]),
            price["source"],
            price["confirmed"],
            None if price.get("usd_output") is None else Decimal(price["usd_output"]),
        )
        known["eol_on"] = None if document["eol_on"] is None else date.fromisoformat(document["eol_on"])
        known["kinds"] = frozenset(Kind(each) for each in document["kinds"])
        known["uses"] = frozenset(ModelUse(each) for each in document.get("uses", ()))
        for name in ("regions", "controls", "unconfirmed"):
            known[name] = tuple(document[name])
        return ModelCard(**known)
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError("this is not a model's card") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(str(each) for each in value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value

"""The catalogue as tables that people read: who serves what, at what price, until when; then every kind's limits.

The page itself is open and empty, as the consoles are; the tables are sent to who may read `GET /v1/models`, from the
same values.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from html import escape
from itertools import groupby
from typing import Any

from circletake.domain.kinds import RULES, Kind
from circletake.domain.language.words import LanguageTask
from circletake.domain.pictures import ModelUse
from services.api.schemas.models import KindReply, ModelReply

_USES = {
    ModelUse.LANGUAGE: "language",
    ModelUse.EMBEDDING: "embedding",
    ModelUse.JUDGE: "judge",
}
_UNITS = {"image": "an image", "second": "a second", "1000_tokens": "for 1,000 tokens"}
_MEGA = 1_000_000
_KILO = 1_000


def words(name: str) -> str:
    return name.replace("_", " ")


def models_tables(models: Sequence[ModelReply], today: date) -> str:
    """Return the tables as HTML without a page around them; every text in them is escaped."""
    live = [model for model in models if model.lifecycle != "eol"]
    ended = [model for model in models if model.lifecycle == "eol"]
    parts = [
        (
            f'<p class="lead">{len(live)} models on {today.isoformat()}, {len(ended)} that have ended.'
            " The same as <code>GET /v1/models</code>.</p>"
        ),
        _legend(),
        _matrix(live),
        *(_kind_section(kind, live) for kind in Kind),
        _language_section(live),
        _ended(ended),
    ]
    return "".join(parts)


def _legend() -> str:
    kinds = "".join(f'<a href="#kind-{kind}">{words(kind)}</a>' for kind in Kind)
    return (
        '<p class="legend"><span><span class="mark">●</span> serves it</span>'
        '<span><span class="mark default">●</span> runs it where nobody names a model</span>'
        '<span><span class="mark draft">●</span> the same for drafts</span></p>'
        f'<nav class="kinds" aria-label="Kinds">{kinds}<a href="#language">language</a><a href="#ended">ended</a></nav>'
    )


# --- who serves what ------------------------------------------------------------------------------------------


def _matrix(models: Sequence[ModelReply]) -> str:
    columns: list[str] = [*Kind, *_USES]
    heads = "".join(
        f'<th scope="col" class="kind"><span>{escape(words(_USES.get(each, each)))}</span></th>'  # type: ignore[call-overload]
        for each in columns
    )
    head = (
        f'<thead><tr><th scope="col">Model</th>{heads}<th scope="col">Price</th>'
        '<th scope="col" class="wide">Regions</th><th scope="col">Until</th>'
        '<th scope="col" class="wide">Controls</th></tr></thead>'
    )
    groups = []
    makers = {model.provider for model in models if model.kinds}

    def place(model: ModelReply) -> tuple[bool, str, int, str]:
        """Who makes takes comes first; of a provider, in the order of the columns."""
        first = min((columns.index(name) for name in (*_served(model), *model.uses)), default=len(columns))
        return model.provider not in makers, model.provider.casefold(), first, model.name.casefold()

    for provider, own in groupby(sorted(models, key=place), key=lambda model: model.provider):
        rows = "".join(_matrix_row(model, columns) for model in own)
        groups.append(
            f'<tbody><tr class="group"><th scope="rowgroup" colspan="{len(columns) + 5}">{escape(provider)}'
            f"</th></tr>{rows}</tbody>"
        )
    return f'<table class="matrix"><caption>Who serves what</caption>{head}{"".join(groups)}</table>'


def _served(model: ModelReply) -> dict[str, KindReply]:
    return {each.kind.value: each for each in model.kinds}


def _matrix_row(model: ModelReply, columns: Sequence[str]) -> str:
    served = _served(model)
    cells = []
    for column in columns:
        kind = served.get(str(column))
        if kind is not None:
            cells.append(f'<td class="kind">{_mark(default=kind.default, draft=kind.draft_default)}</td>')
        elif column in model.uses:
            default = column == ModelUse.LANGUAGE and bool(model.default_for_tasks)
            cells.append(f'<td class="kind">{_mark(default=default)}</td>')
        else:
            cells.append('<td class="kind"></td>')
    regions, controls = ", ".join(model.regions), _controls(model)
    return (
        f'<tr><th scope="row">{_name(model)}<span class="more">{escape(regions)}<br>{escape(controls)}</span></th>'
        f'{"".join(cells)}<td class="price">{_price(model)}</td>'
        f'<td class="wide price">{"<br>".join(map(escape, model.regions))}</td><td>{escape(until(model))}</td>'
        f'<td class="wide controls">{escape(controls)}</td></tr>'
    )


def _mark(*, default: bool = False, draft: bool = False) -> str:
    said = " and ".join(name for name, true in (("default", default), ("default for drafts", draft)) if true)
    classes = "mark" + (" default" if default else "") + (" draft" if draft else "")
    return f'<span class="{classes}" title="{said or "serves it"}">●<span class="said">{said or "yes"}</span></span>'


def _name(model: ModelReply) -> str:
    return f"<b>{escape(model.name)}</b><code>{escape(model.id)}</code>"


def _controls(model: ModelReply) -> str:
    named = [words(each.name) for each in model.controls]
    if model.kinds:
        named.insert(0, "seed" if model.seed.state == "honoured" else "no seed")
    return ", ".join(named)


def _price(model: ModelReply) -> str:
    price = model.price
    unit = _UNITS[price.unit]
    if price.usd_output is not None:
        said = f"${price.usd.normalize():f} in<br>${price.usd_output.normalize():f} out<br>{unit}"
    else:
        said = f"{money(price.usd)} {unit}"
        others = {name: usd for name, usd in price.by_resolution.items() if usd != price.usd}
        said += "".join(f"<br>{money(usd)} at {escape(name)}" for name, usd in others.items())
    sure = "confirmed" if price.confirmed else "not confirmed"
    return f'{said}<span class="sure {"" if price.confirmed else "open"}">{sure} {price.as_of.isoformat()}</span>'


def money(usd: Decimal) -> str:
    """US dollars, with cents, and with more places only where there are any."""
    return f"${usd:.2f}" if usd == round(usd, 2) else f"${usd.normalize():f}"


def until(model: ModelReply) -> str:
    """Return a model's lifecycle in words."""
    if model.lifecycle == "eol":
        return f"ended {model.eol_on.isoformat()}" if model.eol_on else "ended"
    if model.eol_on is None:
        return model.lifecycle
    left = "tomorrow" if model.days_left == 1 else f"in {model.days_left} days"
    return f"{model.lifecycle}, ends {left} ({model.eol_on.isoformat()})"


# --- every kind's limits --------------------------------------------------------------------------------------


def _kind_section(kind: Kind, models: Sequence[ModelReply]) -> str:
    serving = [
        (model, own)
        for model in models
        for own in model.kinds
        if own.kind == kind and model.lifecycle != "eol"
    ]
    serving.sort(key=lambda pair: (not pair[1].default, pair[1].per_take_usd or Decimal(0), pair[0].name))
    rows = "".join(_kind_row(model, own) for model, own in serving)
    rule = RULES[kind]
    needs = []
    if rule.needs_shot:
        needs.append("belongs to a shot")
    if rule.on_plate:
        needs.append("is laid back onto its plate, which stays as it is outside the matte")
    if rule.search == "required":
        needs.append("needs a search prompt: what to find in the plate")
    said = f"<p>{escape('; '.join(needs).capitalize())}.</p>" if needs else ""
    return (
        f'<section id="kind-{kind}"><h2>{escape(words(kind))}</h2>{said}<table class="limits"><thead><tr>'
        '<th scope="col">Model</th><th scope="col">A take</th><th scope="col">Prompt</th>'
        '<th scope="col">Needs, and may have</th><th scope="col">Limits</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></section>"
    )


def _kind_row(model: ModelReply, own: KindReply) -> str:
    cost = money(own.per_take_usd) if own.per_take_usd is not None else "by its controls"
    tags = ["default"] if own.default else []
    tags += ["drafts"] if own.draft_default else []
    tag = f'<span class="tag">{", ".join(tags)}</span>' if tags else ""
    needs = [f"<b>{words(slot)}</b>" for slot in own.required_inputs]
    needs += [words(slot) for slot in own.optional_inputs]
    lines = "".join(f"<li>{escape(line)}</li>" for line in limits_in_words(model, own))
    return (
        f'<tr><th scope="row">{_name(model)}{tag}</th><td>{cost}</td><td>{escape(own.prompt)}</td>'
        f"<td>{', '.join(needs) or 'nothing'}</td><td><ul>{lines}</ul></td></tr>"
    )


def limits_in_words(model: ModelReply, own: KindReply) -> list[str]:
    """Return a model's limits for a kind, one line for each of its texts, inputs and controls."""
    limits = model.limits
    lines = []
    if own.prompt != "refused":
        for name in ("prompt", "negative_prompt"):
            most = limits.get(f"{name}_max_chars")
            if most is not None:
                lines.append(f"{words(name)}: up to {most:,} characters")
    slots = [*own.required_inputs, *own.optional_inputs]
    inputs: Mapping[str, Mapping[str, Any]] = limits.get("inputs", {})
    lines += [f"{words(slot)}: {picture_limits(inputs[slot])}" for slot in slots if slot in inputs]
    for control in model.controls:
        said = _range(control.schema_, control.exact)
        if control.model_pixels_max is not None:
            said = f"up to {control.model_pixels_max:,} of the model's pixels"
        if said:
            lines.append(f"{words(control.name)}: {said}")
    return lines


def picture_limits(limit: Mapping[str, Any]) -> str:
    """Return what a picture may be, as in `64 to 16,383 pixels a side, up to 9.4 megapixels, PNG or JPEG`."""
    said = []
    low, high = limit.get("min_side"), limit.get("max_side")
    if low is not None or high is not None:
        said.append(_between(low, high) + " pixels a side")
    low, high = limit.get("min_pixels"), limit.get("max_pixels")
    if low is not None or high is not None:
        said.append(_between(_mega(low), _mega(high)) + " megapixels")
    if limit.get("max_ratio") is not None:
        said.append(f"sides at most {limit['max_ratio']:g} to 1")
    if limit.get("max_bytes") is not None:
        said.append(f"up to {limit['max_bytes'] / _MEGA:g} MB")
    types = [str(each).partition("/")[2].upper() for each in limit.get("media_types", ())]
    if types:
        said.append(_listed(types))
    return ", ".join(said) or "any picture"


def _range(schema: Mapping[str, Any], exact: Sequence[Any] | None) -> str:
    if exact:
        return ", ".join(map(str, exact)) + "; others become the nearest"
    if "enum" in schema:
        said = ", ".join(map(str, schema["enum"]))
    elif "minimum" in schema or "maximum" in schema:
        said = _between(schema.get("minimum"), schema.get("maximum"))
    else:
        return ""
    return said + (f"; {schema['default']} unless you say" if "default" in schema else "")


def _between(low: Any, high: Any) -> str:
    if low is None:
        return f"up to {_number(high)}"
    return f"from {_number(low)}" if high is None else f"{_number(low)} to {_number(high)}"


def _number(value: Any) -> str:
    return (
        f"{value:,}"
        if isinstance(value, int) and value >= _KILO
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _mega(pixels: int | None) -> float | None:
    return None if pixels is None else float(f"{pixels / _MEGA:.2g}")


def _listed(names: Iterable[str]) -> str:
    *before, last = names
    return f"{', '.join(before)} or {last}" if before else last


# --- language and what has ended ------------------------------------------------------------------------------


def _language_section(models: Sequence[ModelReply]) -> str:
    rows = []
    for model in models:
        if not model.uses:
            continue
        uses = ", ".join(_USES[use] for use in model.uses)
        tasks = ", ".join(words(task) for task in LanguageTask if task in model.default_for_tasks)
        rows.append(
            f'<tr><th scope="row">{_name(model)}</th><td>{escape(uses)}</td><td>{escape(tasks) or "none"}</td>'
            f"<td>{_price(model)}</td><td>{escape(_written(model.limits))}</td></tr>"
        )
    return (
        '<section id="language"><h2>language, embeddings, judges</h2><p>They make no takes.</p>'
        '<table class="limits"><thead><tr><th scope="col">Model</th><th scope="col">Does</th>'
        '<th scope="col">Default for</th><th scope="col">Price</th><th scope="col">Limits</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></section>"
    )


def _written(limits: Mapping[str, Any]) -> str:
    said = []
    if limits.get("input_max_chars"):
        said.append(f"reads up to {limits['input_max_chars']:,} characters")
    if limits.get("written_tokens_max"):
        said.append(f"writes up to {limits['written_tokens_max']:,} tokens")
    if limits.get("pictures_max"):
        said.append(f"up to {limits['pictures_max']} pictures at once")
    if limits.get("dimensions"):
        dimensions = limits["dimensions"]
        listed = ", ".join(map(str, dimensions)) if isinstance(dimensions, list | tuple) else str(dimensions)
        said.append(f"vectors of {listed} numbers")
    return "; ".join(said)


def _ended(models: Sequence[ModelReply]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_name(model)}</th><td>{model.eol_on.isoformat() if model.eol_on else "unknown"}</td>'
        f"<td>{escape(', '.join([*(words(each.kind) for each in model.kinds), *(_USES[use] for use in model.uses)]))}"
        f"</td><td>{escape(model.successor or 'none named')}</td></tr>"
        for model in sorted(models, key=lambda each: (each.eol_on or date.max, each.name))
    )
    return (
        '<section id="ended"><h2>ended</h2><p>A request that names one is refused, with its date and successor.</p>'
        '<table class="limits"><thead><tr><th scope="col">Model</th><th scope="col">Ended</th>'
        f'<th scope="col">Served</th><th scope="col">Use instead</th></tr></thead><tbody>{rows}</tbody></table></section>'
    )

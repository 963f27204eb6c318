"""Does a session policy allow this action on this resource?

A small part of IAM's evaluation, honest about what it doesn't know: an Allow whose condition can't be judged
doesn't allow, a Deny whose condition can't be judged denies. Only the session policy is looked at; what the role
itself may do is judged by the S3 server, for the calls that reach it.
Source: "Policy evaluation logic" (IAM User Guide).
"""

import json
import re
from collections.abc import Mapping
from typing import Any

_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_OPERATORS = frozenset({"StringEquals", "StringLike", "StringNotEquals", "StringNotLike"})


def allows(policy: str | None, action: str, resource: str, context: Mapping[str, str]) -> bool:
    """True when there is no session policy, or when a statement allows the call and none denies it.

    `context` holds the condition keys known here, e.g. `aws:PrincipalTag/tenant`, with lower-case names.
    """
    if not policy:
        return True
    try:
        document = json.loads(policy)
    except ValueError:
        return False
    statements = _list(document.get("Statement")) if isinstance(document, dict) else []
    allowed = False
    for statement in statements:
        if not isinstance(statement, dict) or not _applies(statement, action, resource, context):
            continue
        verdict = _condition(statement.get("Condition"), context)
        if statement.get("Effect") == "Deny" and verdict is not False:
            return False
        if statement.get("Effect") == "Allow" and verdict is True:
            allowed = True
    return allowed


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, str]) -> bool:
    if "NotAction" in statement:
        on_action = not _any_like(statement["NotAction"], action.lower(), {}, lower=True)
    else:
        on_action = _any_like(statement.get("Action"), action.lower(), {}, lower=True)
    if "NotResource" in statement:
        return on_action and not _any_like(statement["NotResource"], resource, context)
    return on_action and _any_like(statement.get("Resource"), resource, context)


def _condition(condition: object, context: Mapping[str, str]) -> bool | None:
    """True or False when every operator and key is known here, None when one is not."""
    if not condition:
        return True
    if not isinstance(condition, dict):
        return None
    verdict: bool | None = True
    for operator, tests in condition.items():
        if operator not in _OPERATORS or not isinstance(tests, dict):
            verdict = None
            continue
        for key, values in tests.items():
            if key.lower() not in context:
                verdict = None
                continue
            hit = _any_like(values, context[key.lower()], context, wildcards="Like" in operator)
            if hit == ("Not" in operator):
                return False
    return verdict


def _any_like(
    patterns: object, value: str, context: Mapping[str, str], *, lower: bool = False, wildcards: bool = True
) -> bool:
    texts = [text for text in _list(patterns) if isinstance(text, str)]
    return any(_like(text.lower() if lower else text, value, context, wildcards=wildcards) for text in texts)


def _like(pattern: str, value: str, context: Mapping[str, str], *, wildcards: bool) -> bool:
    """`*`, `?` and `${policy:variables}`; a wildcard that came out of a variable is a plain character."""
    expression = ""
    for index, piece in enumerate(_VARIABLE.split(pattern)):
        if index % 2:
            if piece.lower() not in context:
                return False
            expression += re.escape(context[piece.lower()])
        elif wildcards:
            expression += "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in piece)
        else:
            expression += re.escape(piece)
    return re.fullmatch(expression, value, re.DOTALL) is not None


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]

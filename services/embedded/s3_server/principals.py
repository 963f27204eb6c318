"""Who may call: the seeded users and the sessions they assume, and nobody else."""

# ruff: noqa: SLF001 - ministack has no public interface for any of this; it is pinned exactly

import base64
import json
import os
from typing import Any

from services.embedded.s3_server.modules import Ministack


def forget_root_keys(modules: Ministack) -> None:
    """Leave no key whose signature is not checked; a request without a key stays anonymous and is denied."""

    def is_root(access_key_id: str) -> bool:
        return not access_key_id

    modules.evaluator.is_root_access_key = is_root
    modules.evaluator._is_root_key = is_root
    modules.sts.is_root_access_key = is_root


def refuse_unknown_roles(modules: Ministack) -> None:
    """AssumeRole of a role that was never made is AccessDenied, as on AWS."""
    original = modules.sts._assumed_role_arn

    def assumed_role_arn(role_arn: str, session_name: str) -> Any:
        arn, error = original(role_arn, session_name)
        name = role_arn.rsplit("/", 1)[-1]
        if error is None and name not in modules.iam._roles:
            return None, modules.sts._error(
                403, "AccessDenied", f"No permission to perform sts:AssumeRole on {role_arn}", ns="sts"
            )
        return arn, error

    modules.sts._assumed_role_arn = assumed_role_arn


def seed_users(modules: Ministack, users: list[dict[str, Any]]) -> None:
    """Make the long-lived users exist with exactly these keys and policies."""
    iam = modules.iam
    for user in users:
        name = user["name"]
        stale = [key for key, entry in iam._access_keys.items() if entry.get("UserName") == name]
        for key in stale:
            del iam._access_keys[key]
        if name not in iam._users:
            iam._users[name] = {
                "UserName": name,
                "Arn": f"arn:aws:iam::000000000000:user/{name}",
                "UserId": "AIDA" + base64.b32encode(os.urandom(10)).decode(),
                "CreateDate": iam._now(),
                "Path": "/",
                "PermissionsBoundary": "",
                "AttachedPolicies": [],
                "Tags": [],
            }
        iam._access_keys[user["access_key_id"]] = {
            "UserName": name,
            "AccessKeyId": user["access_key_id"],
            "SecretAccessKey": user["secret_access_key"],
            "Status": "Active",
            "CreateDate": iam._now(),
        }
        iam._user_inline_policies[name] = {"embedded": json.dumps(user["policy"])}

"""Become another program, as a child that cannot outlive the supervisor.

Run as `python -I -S launch.py '{"parent": PID, "signal": N, ...}' PROGRAM ARGUMENT...`. A small program of its own
because what it does between fork and exec (user namespace, user change, parent-death signal) is not safe in a
process with threads, and because the parent-death signal is lost when the user changes after it.
"""

import ctypes
import json
import os
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_MAPPED_ID = 1000  # any number but 0: Postgres refuses to run as user 0


def enter_user_namespace() -> None:
    """Be an ordinary user inside, while files stay root's outside. Raises OSError where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not available")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_MAPPED_ID} 0 1"),
        ("gid_map", f"{_MAPPED_ID} 0 1"),
    ):
        Path("/proc/self", name).write_text(text)


def main(plan_text: str, *program: str) -> None:
    plan = json.loads(plan_text)
    if plan.get("user_namespace"):
        enter_user_namespace()
    if "uid" in plan:
        os.setgroups([])
        os.setgid(plan["gid"])
        os.setuid(plan["uid"])
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, plan["signal"])
    if os.getppid() != plan["parent"]:
        sys.exit("the supervisor ended before its child started")
    os.execv(program[0], program)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])

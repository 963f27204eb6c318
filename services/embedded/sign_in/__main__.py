"""`python -m services.embedded.sign_in --home HOME --port PORT`: started by the stack."""

import argparse
import os
import sys
from pathlib import Path

from services.embedded.sign_in.flow import Flow
from services.embedded.sign_in.people import PeopleFile
from services.embedded.sign_in.server import SignInServer
from services.embedded.sign_in.tokens import Minter

SECRET = "CIRCLETAKE_SIGN_IN_SECRET"  # noqa: S105 - the name of a variable


def main() -> int:
    parser = argparse.ArgumentParser(description="local sign-in of the embedded stack")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--home", type=Path, required=True)
    chosen = parser.parse_args()
    minter = Minter.of_home(chosen.home, f"http://127.0.0.1:{chosen.port}")
    flow = Flow(PeopleFile(chosen.home), minter)
    with SignInServer(flow, os.environ[SECRET], chosen.port) as server:  # noqa: TID251
        try:
            server.serve_forever(poll_interval=5)
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())

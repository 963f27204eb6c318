"""Every setting of the offline model server: arguments, and two secrets from the environment."""

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ADMIN_TOKEN_VARIABLE = "CIRCLETAKE_BEDROCK_ADMIN_TOKEN"  # noqa: S105 - the variable's name, not its value
KEYS_VARIABLE = "CIRCLETAKE_BEDROCK_KEYS"

_DESCRIPTION = """\
An offline model server that speaks the Amazon Bedrock runtime wire: SigV4, InvokeModel, asynchronous
invocations that write to S3 with the caller's own session, and the models' own request limits.
It draws by classical means on the CPU; it is not a generative model.
"""

_EPILOG = f"""\
environment:
  {KEYS_VARIABLE}         path of a JSON file, mode 0600, of the long-lived keys that may call
                                  AssumeRole here: {{"ACCESS_KEY_ID": {{"secret": "...", "name": "..."}}}}
  {ADMIN_TOKEN_VARIABLE}  bearer token for the calls below; without it they are closed

calls of the operator, from this machine (GET lists, POST adds, DELETE removes one by its id, or all):
  /_offline/calls     every call to a model: who, which, what it would be billed
  /_offline/faults    {{"kind": "throttle", "model": ..., "operation": ..., "count": 1}}
  /_offline/subjects  a character for prompts that name it: {{"name": "Ada", "picture": base64 PNG,
                      "face": {{"left": 0.3, "top": 0.1, "width": 0.2, "height": 0.25}}}} (shares of the picture)
  /_offline/drift     how it goes wrong: {{"model": ..., "tenant": ..., "times": 2, "when": {{"mode": "text-to-image",
                      "seed": "odd", "strength_above": 0.5}}, "drift": {{"wardrobe": 120, "hair": 90, "face": 1.0,
                      "face_picture": base64 PNG of a face, "at": box of the face in the result}}}}
                      modes: text-to-image image-to-image inpaint outpaint erase upscale recolor replace
                      remove-background sketch structure style-guide style-transfer text-to-video keyframe
  /_offline/models    a model brought by ARN: {{"arn": ..., "model": an id of this server}}; or a newer one of a
                      known kind by its own id: {{"id": "us.stability.…-v2:0", "model": ...}}
  /_offline/versions  another version behind a model's id: {{"model": ..., "version": "2"}}; the same request and seed
                      then give a visibly different picture, until it is removed
"""


@dataclass(frozen=True, slots=True)
class Settings:
    host: str
    port: int
    state_dir: Path
    s3_endpoint: str
    region: str
    account: str
    async_seconds: float
    instant: bool
    picture_processes: int
    max_waiting: int
    keys_file: Path | None
    admin_token: str | None = field(repr=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m services.bedrock",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=9100, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path(tempfile.gettempdir()) / f"circletake-bedrock-{os.getuid()}",
        help="where issued sessions, asynchronous invocations and the call log are kept (default: %(default)s)",
    )
    parser.add_argument(
        "--s3-endpoint",
        required=True,
        metavar="URL",
        help="the S3 server; its STS on the same endpoint issues the sessions",
    )
    parser.add_argument("--region", default="us-west-2", help="AWS Region to be (default: %(default)s)")
    parser.add_argument("--account", default="000000000000", help="AWS account to be (default: %(default)s)")
    parser.add_argument(
        "--async-seconds",
        type=float,
        default=2.0,
        help="how long an asynchronous invocation takes at least (default: %(default)s)",
    )
    parser.add_argument(
        "--picture-processes", type=int, default=2, help="processes that draw (default: %(default)s)"
    )
    parser.add_argument(
        "--max-waiting",
        type=int,
        default=256,
        help="calls that may wait for such a process before one is throttled (default: %(default)s)",
    )
    parser.add_argument(
        "--instant",
        action="store_true",
        help="answer text-to-image with a flat cached picture of the right size (for benchmarks)",
    )
    return parser


def read_settings(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> Settings:
    """Parse the command line; `environment` defaults to the process's own. Exits with a message on bad input."""
    env = os.environ if environment is None else environment  # noqa: TID251 - this server's composition root
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if not (parsed.account.isdigit() and len(parsed.account) == 12):  # noqa: PLR2004
        parser.error("--account must be 12 digits")
    if parsed.picture_processes < 1 or parsed.max_waiting < 1 or parsed.async_seconds < 0:
        parser.error("--picture-processes and --max-waiting must be at least 1, --async-seconds at least 0")
    keys_file = env.get(KEYS_VARIABLE)
    return Settings(
        host=parsed.host,
        port=parsed.port,
        state_dir=parsed.state_dir,
        s3_endpoint=parsed.s3_endpoint,
        region=parsed.region,
        account=parsed.account,
        async_seconds=parsed.async_seconds,
        instant=parsed.instant,
        picture_processes=parsed.picture_processes,
        max_waiting=parsed.max_waiting,
        keys_file=Path(keys_file) if keys_file else None,
        admin_token=env.get(ADMIN_TOKEN_VARIABLE) or None,
    )

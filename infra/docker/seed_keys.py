"""Write the long-lived key pairs of the offline stack where a server reads them, then become that server.

    seed_keys.py s3|bedrock FILE -- COMMAND...

The pairs come from `<PRINCIPAL>_ACCESS_KEY_ID` and `<PRINCIPAL>_SECRET_ACCESS_KEY`, which the command no longer sees.
"""

import json
import os
import sys
from pathlib import Path

KNOWN_TO = {"s3": ("worker", "gateway", "provisioner"), "bedrock": ("worker", "gateway")}


def main() -> None:
    server, file, dashes, *command = sys.argv[1:]
    if server not in KNOWN_TO or dashes != "--" or not command:
        sys.exit(__doc__)
    environment = dict(os.environ)  # noqa: TID251 - the root of this container
    pairs: dict[str, tuple[str, str]] = {}
    for name in KNOWN_TO[server]:
        names = f"{name.upper()}_ACCESS_KEY_ID", f"{name.upper()}_SECRET_ACCESS_KEY"
        missing = [variable for variable in names if not environment.get(variable)]
        if missing:
            sys.exit(f"Set {' and '.join(missing)}.")
        pairs[name] = environment.pop(names[0]), environment.pop(names[1])
    os.umask(0o077)
    Path(file).write_text(json.dumps(users(pairs) if server == "s3" else keys(pairs)))
    os.execvpe(command[0], command, environment)  # noqa: S606 - the image's own command


def users(pairs: dict[str, tuple[str, str]]) -> object:
    from services.embedded.home import KeyPair
    from services.embedded.users import users as with_policies

    return with_policies({name: KeyPair(*pair) for name, pair in pairs.items()})


def keys(pairs: dict[str, tuple[str, str]]) -> object:
    return {
        key_id: {"secret": secret, "name": f"circletake-{name}"} for name, (key_id, secret) in pairs.items()
    }


if __name__ == "__main__":
    main()

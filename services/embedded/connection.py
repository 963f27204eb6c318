"""What a client, a test or a person needs to reach a running stack."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services.embedded.home import Home, write_private


@dataclass(frozen=True, slots=True)
class Connection:
    """The content of `connection.json`. `database_url` is the application role's: row-level security holds."""

    api_url: str
    admin_url: str
    admin_key: str = field(repr=False)
    s3_endpoint: str
    bedrock_url: str
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    sign_in_url: str = ""
    sign_in_secret: str = field(default="", repr=False)  # enters people and signs them in without a browser

    def write(self, home: Home) -> Path:
        """Write `connection.json`, mode 600, and return its path."""
        write_private(home.connection_file, json.dumps(asdict(self), indent=1) + "\n")
        return home.connection_file


def read_connection(home: Home) -> Connection:
    """Raises FileNotFoundError when no stack was ever up in this home."""
    return Connection(**json.loads(home.connection_file.read_text()))

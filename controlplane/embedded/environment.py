"""Which parts are given and which are embedded, and what the product's processes get to see of it.

``DATABASE_URL``, ``REDIS_URL`` and ``AWS_ENDPOINT_URL`` in the environment of ``up`` name real parts; they are used and not started. What
the file ``up.env`` of an earlier run has put there is no choice of anybody's and is left out.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from controlplane.embedded import processes
from controlplane.embedded.bootstrap import Footing
from controlplane.embedded.state import LOOPBACK, StateFolder
from controlplane.env import read_file

FILE = "up.env"
CHOICES = ("DATABASE_URL", "REDIS_URL", "AWS_ENDPOINT_URL")
DEFAULT_REGION = "eu-central-1"
LASTING = ("DJANGO_SECRET_KEY", "AUDIT_KEY")
"""What stays in ``up.env`` after the end: without these keys a command that reads the database would call its audit chain forged."""


@dataclass(frozen=True, slots=True)
class Given:
    """Addresses of real parts; an empty one means the embedded part."""

    database_url: str = ""
    redis_url: str = ""
    aws_endpoint_url: str = ""


def given_by(values: Mapping[str, str], state: StateFolder, *, ignore: str = "") -> Given:
    """Read what was chosen from ``values`` (an environment), without what ``up.env`` put there and without the address ``ignore``."""
    left = read_file(state.root / FILE)
    chosen = {name: values.get(name, "").strip() for name in CHOICES}
    chosen = {name: "" if value in (left.get(name), ignore) else value for name, value in chosen.items()}
    return Given(chosen["DATABASE_URL"], chosen["REDIS_URL"], chosen["AWS_ENDPOINT_URL"])


def region_of(values: Mapping[str, str]) -> str:
    """The region of the embedded cell."""
    return values.get("AWS_DEFAULT_REGION", "").strip() or DEFAULT_REGION


def of_product(state: StateFolder, given: Given, ports: Mapping[str, int], region: str, footing: Footing | None) -> dict[str, str]:
    """What the web server, the worker and the commands get: this process's environment with the stack's own addresses and keys.

    With the embedded AWS every ``AWS_`` variable of the caller is dropped and no profile is read: whatever account the person who types
    ``make up`` can reach, the stack cannot. The stand-in's root key is never among it.
    """
    values = {name: value for name, value in os.environ.items() if footing is None or not name.startswith("AWS_")}
    values.pop("DATABASE_URL", None)
    values.update(own_values(state, given, ports, region, footing))
    values["CONTROLPLANE_STATE_DIR"] = str(state.root)
    values["DJANGO_SETTINGS_MODULE"] = "controlplane.settings"
    values["PYTHONUNBUFFERED"] = "1"
    direct = {*filter(None, values.get("NO_PROXY", "").split(",")), LOOPBACK, "localhost"}
    values["NO_PROXY"] = values["no_proxy"] = ",".join(sorted(direct))
    return values


def own_values(state: StateFolder, given: Given, ports: Mapping[str, int], region: str, footing: Footing | None) -> dict[str, str]:
    """The part of the environment that is this stack's own, which ``up.env`` keeps for commands in another terminal."""
    secrets = state.secrets(("django", "audit", "valkey", "edge"))
    values = {
        "DJANGO_SECRET_KEY": secrets["django"],
        "AUDIT_KEY": secrets["audit"],
        "REDIS_URL": given.redis_url or processes.redis_url(ports[processes.VALKEY], secrets["valkey"]),
        "AWS_DEFAULT_REGION": region,
        "CONTROLPLANE_PORTAL_URL": processes.http_url(ports[processes.WEB]),
        "CONTROLPLANE_EDGE_PORT": str(ports[processes.EDGE]),
        "CONTROLPLANE_EDGE_OPERATORS_PORT": str(ports[processes.OPERATORS]),
        "EDGE_IDENTITY_KEYS": f"1:{secrets['edge']}",
    }
    if given.database_url:
        values["DATABASE_URL"] = given.database_url
    if given.aws_endpoint_url:
        values["AWS_ENDPOINT_URL"] = given.aws_endpoint_url
    if footing is not None:
        values |= {
            "AWS_ENDPOINT_URL": processes.http_url(ports[processes.STANDIN]),
            "AWS_ACCESS_KEY_ID": footing.access_key_id,
            "AWS_SECRET_ACCESS_KEY": footing.secret_access_key,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    return values


def write_file(state: StateFolder, values: Mapping[str, str]) -> None:
    """Leave values for commands in another terminal (``controlplane.settings`` reads them)."""
    state.write_text(FILE, "".join(f"{name}={value}\n" for name, value in sorted(values.items())))


def write_file_of_ended(state: StateFolder) -> None:
    """Keep only what lasts: the addresses are nobody's now."""
    path = state.root / FILE
    if path.exists():
        write_file(state, {name: value for name, value in read_file(path).items() if name in LASTING})

"""Our edge: one process of ``python -m controlplane.edge``, on a projection that is written into Redis as the product writes it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping

from bench.edge.cast import Caller, Cast
from bench.edge.peers.peer import ROOT, Peer, Store
from tenants.keys.tokens import digest_of
from tenants.limits.board import Board
from tenants.limits.projection import HALF, KeyRecord, Kind, Standing, TenantRecord, pack_id, pack_key, pack_tenant
from tests.services import LOOPBACK

PEPPER = "made-up-for-a-measurement-of-the-edge"
ENDS_AT = 4_000_000_000


class Ours(Peer):
    path = "/v1/nginx"
    does = "refusals of whoever goes on asking are held back on purpose"

    def __init__(self, name: str, core: int, cast: Cast, store: Store) -> None:
        super().__init__(name, core, cast, store)
        self.redis_url = f"unix://{store.socket}?db=0"

    @classmethod
    def why_not(cls) -> str:
        return "" if importlib.util.find_spec("controlplane.edge.__main__") else "there is no `python -m controlplane.edge` yet"

    def prepare(self) -> list[str]:
        fill(self.redis_url, self.cast.everybody)
        self.environment = environment(self.port.number, self.redis_url)
        return command()


def command() -> list[str]:
    """Give the command that starts an edge, with whatever processes :func:`environment` says."""
    return [sys.executable, "-m", "controlplane.edge"]


def environment(port: int, redis_url: str, *, processes: int = 1) -> Mapping[str, str]:
    """Give the variables that an edge starts with."""
    return {
        "PYTHONPATH": str(ROOT),
        "CONTROLPLANE_ENVIRONMENT": "dev",
        "CONTROLPLANE_ENV_FILE": "/dev/null",
        "CONTROLPLANE_LOG_LEVEL": "ERROR",
        "CONTROLPLANE_EDGE_ADDRESS": LOOPBACK,
        "CONTROLPLANE_EDGE_PORT": str(port),
        "CONTROLPLANE_EDGE_OPERATORS_PORT": "0",
        "CONTROLPLANE_EDGE_PROCESSES": str(processes),
        "KEY_PEPPERS": f"1:{PEPPER}",
        "REDIS_URL": redis_url,
    }


def fill(redis_url: str, callers: tuple[Caller, ...]) -> None:
    """Write the projection of these callers as a new epoch."""
    board = Board.from_url(redis_url)
    build = board.begin()
    if build is None:
        raise RuntimeError("somebody else is building the projection")
    board.write_in(build.epoch, records_of(callers, board.draw_stamp()))
    board.finish(build)


def records_of(callers: tuple[Caller, ...], stamp: int) -> dict[tuple[Kind, bytes], bytes]:
    """Give the records of these callers and their keys."""
    records: dict[tuple[Kind, bytes], bytes] = {}
    for caller in callers:
        tenant, digest = TenantRecord(Standing.SERVED, caller.limits), bytes.fromhex(digest_of(caller.text, PEPPER.encode()))
        key = KeyRecord(digest, caller.tenant_id, caller.key_id, 1, Standing.SERVED, ENDS_AT)
        records[Kind.TENANT, pack_id(caller.tenant_id)] = pack_tenant(tenant, stamp)
        records[Kind.KEY, digest[:HALF]] = pack_key(key, stamp)
    return records

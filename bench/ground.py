"""The parts that a measurement runs against, and Django on top of them. Import nothing of the product before :func:`parts`."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.clock import watch
from tests.services import REGION, ROOT_ENVIRONMENT, HeldPort, StandIn, Valkey

if TYPE_CHECKING:
    from tenants.models import Cell


@dataclass(frozen=True, slots=True)
class Ground:
    """Running parts with Django wired to them and an empty, migrated database. ``database`` names it for people."""

    standin: StandIn
    database: str


@contextmanager
def parts(database_url: str) -> Iterator[Ground]:
    """Start the parts, set Django up and migrate; end and remove everything afterwards. Once a process."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="controlplane-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        valkey, standin = Valkey(), StandIn(HeldPort())
        for service in (valkey, standin):
            stack.callback(service.stop)
            service.start()
            if service.process is not None:
                watch(service.process.pid)
        _set_environment(folder, valkey.url, standin.endpoint_url, database_url)
        import django

        django.setup()
        stack.enter_context(_databases(folder))
        yield Ground(standin, _describe())


def _set_environment(folder: Path, redis_url: str, endpoint_url: str, database_url: str) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "CONTROLPLANE_", "DJANGO_"))]:
        del os.environ[name]
    os.environ.update(
        DJANGO_SETTINGS_MODULE="controlplane.settings",
        CONTROLPLANE_ENVIRONMENT="dev",
        CONTROLPLANE_ENV_FILE=str(folder / "no.env"),
        CONTROLPLANE_STATE_DIR=str(folder),
        CONTROLPLANE_LOG_LEVEL="ERROR",
        # One token and one member stand for many here.
        CONTROLPLANE_API_BURST="1000000",
        CONTROLPLANE_PORTAL_TENANT_BURST="1000000",
        CONTROLPLANE_PORTAL_MEMBER_BURST="1000000",
        DATABASE_URL=database_url,
        REDIS_URL=redis_url,
        AWS_ENDPOINT_URL=endpoint_url,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        **ROOT_ENVIRONMENT,
    )


@contextmanager
def _databases(folder: Path) -> Iterator[None]:
    """A database of this run's own: a file here, or one beside the database that was named."""
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    own = f"controlplane_bench_{os.getpid()}"
    connection.settings_dict["TEST"]["NAME"] = str(folder / f"{own}.sqlite3") if connection.vendor == "sqlite" else own
    old = setup_databases(verbosity=0, interactive=False)
    try:
        yield
    finally:
        teardown_databases(old, verbosity=0)


def _describe() -> str:
    from django.db import connection

    if connection.vendor == "sqlite":
        from sqlite3 import sqlite_version

        return f"SQLite {sqlite_version} (WAL)"
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0].split()[0]}"


def prepare_cell(ground: Ground) -> Cell:
    """Make the control plane's role in the stand-in, seed tiers and a cell, and have the engine make what the cell shares."""
    from bench.customers import QUOTAS
    from controlplane.embedded import bootstrap
    from core.actors import system
    from core.aws.session import forget_credentials
    from provisioning import engine
    from provisioning.services import start_prepare_cell
    from tenants.seed import seed_cell, seed_tiers

    footing = bootstrap.prepare(ground.standin.endpoint_url, REGION, {})
    os.environ.update(AWS_ACCESS_KEY_ID=footing.access_key_id, AWS_SECRET_ACCESS_KEY=footing.secret_access_key)
    forget_credentials()
    seed_tiers()
    cell = seed_cell(
        code=bootstrap.CELL_CODE,
        environment=bootstrap.ENVIRONMENT,
        partition=bootstrap.PARTITION,
        region=REGION,
        account_id=ground.standin.account_id,
        role_arn=footing.role_arn,
        quotas=QUOTAS,
        capabilities=asdict(bootstrap.STANDIN_CAPABILITIES),
    )
    operation = start_prepare_cell(actor=system("bench"), cell_code=cell.code, reason="bench")
    engine.run(operation.pk)
    operation.refresh_from_db()
    if operation.state != "succeeded":
        raise RuntimeError(f"the cell could not be prepared: {operation.error_detail}")
    return cell

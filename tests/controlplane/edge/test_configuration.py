"""The edge's settings: the same variables as the control plane's, no public secret outside dev, and no Django in the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.edge.configuration import INSECURE_IDENTITY_KEY, read
from controlplane.env import INSECURE_KEY_PEPPER, Environment, SettingError
from tests.controlplane.conftest import ROOT

SOUND = {
    "CONTROLPLANE_ENVIRONMENT": "production",
    "REDIS_URL": "rediss://redis.example.com/0",
    "KEY_PEPPERS": "1:" + "p" * 40,
    "EDGE_IDENTITY_KEYS": "3:" + "i" * 40,
}


def test_dev_needs_nothing(tmp_path: Path) -> None:
    found = read(Environment({"CONTROLPLANE_STATE_DIR": str(tmp_path)}))
    assert found.redis_url == f"unix://{tmp_path}/valkey.sock"
    assert (found.processes, found.port, found.bounds.connections) == (os.cpu_count(), 8100, 10_000)


def test_what_is_set(tmp_path: Path) -> None:
    set_here = {
        "CONTROLPLANE_EDGE_ENDPOINTS": "ingest=https://ingest.example.com/{tenant}, query=https://query.example.com",
        "CONTROLPLANE_EDGE_COSTS": "read=1,write=5",
        "CONTROLPLANE_EDGE_PROCESSES": "3",
        "CONTROLPLANE_EDGE_COUNTERS": "77",
        "CONTROLPLANE_CAPACITY_PER_SECOND": "900",
        "CONTROLPLANE_CAPACITY_IN_FLIGHT": "40",
    }
    found = read(Environment({**SOUND, **set_here}))
    assert found.endpoints == {"ingest": "https://ingest.example.com/{tenant}", "query": "https://query.example.com"}
    assert (found.costs.of("write"), found.costs.of("unheard-of"), found.processes) == (5, 5, 3)
    assert found.most_counters == 77
    assert (found.capacity, found.slots) == (900, 40)
    assert found.identity_keys == {3: b"i" * 40}
    assert found.log_as_json
    for secret in ("pppp", "iiii", "rediss"):
        assert secret not in repr(found)


SPOILED = {
    "no Redis": ({"REDIS_URL": ""}, "REDIS_URL"),
    "no peppers": ({"KEY_PEPPERS": ""}, "KEY_PEPPERS"),
    "the public pepper": ({"KEY_PEPPERS": f"1:{INSECURE_KEY_PEPPER}"}, "KEY_PEPPERS"),
    "no identity keys": ({"EDGE_IDENTITY_KEYS": ""}, "EDGE_IDENTITY_KEYS"),
    "the public identity key": ({"EDGE_IDENTITY_KEYS": f"9:{INSECURE_IDENTITY_KEY}"}, "EDGE_IDENTITY_KEYS"),
    "one secret for two purposes": ({"EDGE_IDENTITY_KEYS": "1:" + "p" * 40}, "EDGE_IDENTITY_KEYS"),
    "an endpoint that is none": ({"CONTROLPLANE_EDGE_ENDPOINTS": "ingest"}, "CONTROLPLANE_EDGE_ENDPOINTS, entry 1"),
    "an endpoint twice": ({"CONTROLPLANE_EDGE_ENDPOINTS": "a=https://a,a=https://b"}, "CONTROLPLANE_EDGE_ENDPOINTS, entry 2"),
    "a capacity that is none": ({"CONTROLPLANE_CAPACITY_IN_FLIGHT": "-1"}, "CONTROLPLANE_CAPACITY_IN_FLIGHT"),
    "more slots than can be kept": ({"CONTROLPLANE_CAPACITY_IN_FLIGHT": "1000001"}, "CONTROLPLANE_CAPACITY_IN_FLIGHT"),
    "a cost that is none": ({"CONTROLPLANE_EDGE_COSTS": "read=0"}, "CONTROLPLANE_EDGE_COSTS, entry 1"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_what_must_not_start(name: str) -> None:
    changes, named = SPOILED[name]
    with pytest.raises(SettingError, match=named) as caught:
        read(Environment({**SOUND, **changes}))
    assert "pppp" not in str(caught.value)
    assert "insecure-and-public" not in str(caught.value)


def test_an_edge_that_must_not_start_says_why_and_ends(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], **SOUND, "KEY_PEPPERS": "1:short-and-secret"}
    done = subprocess.run(
        [sys.executable, "-m", "controlplane.edge"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert "KEY_PEPPERS" in done.stderr
    assert "short-and-secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_no_django_beyond_its_exceptions_is_in_the_process() -> None:
    program = "import sys, controlplane.edge.__main__; print(*sorted(name for name in sys.modules if name.startswith(('django', 'celery'))))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert set(done.stdout.split()) <= {
        "django",
        "django.core",
        "django.core.exceptions",
        "django.utils",
        "django.utils.version",
        *_needed(),
    }


def _needed() -> set[str]:
    """What the module of the exceptions imports by itself."""
    program = "import sys, django.core.exceptions; print(*sorted(name for name in sys.modules if name.startswith('django')))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    return set(done.stdout.split())

"""Contradictions: each has its id, stops every way to start, and is absent from a sound configuration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import override_settings

from controlplane.checks import contradictions, is_loopback, refuse_unsafe_start
from controlplane.env import SettingError
from tests.controlplane.conftest import PRODUCTION, ROOT, ReadSettings

SPOILED: dict[str, tuple[dict[str, str | None], str]] = {
    "SQLite": ({"DATABASE_URL": None}, "E001"),
    "SQLite by address": ({"DATABASE_URL": "sqlite:////srv/controlplane.sqlite3"}, "E001"),
    "debug server": ({"DJANGO_DEBUG": "true"}, "E002"),
    "default secret key": ({"DJANGO_SECRET_KEY": None}, "E003"),
    "default audit key": ({"AUDIT_KEY": None}, "E004"),
    "embedded AWS": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "E005"),
    "embedded AWS by name": ({"AWS_ENDPOINT_URL": "http://localhost:4566"}, "E005"),
    "embedded AWS by its IPv6 address": ({"AWS_ENDPOINT_URL": "http://[::1]:4566"}, "E005"),
    "embedded AWS by S3's bucket host": ({"AWS_ENDPOINT_URL": "http://s3.localhost.:4566"}, "E005"),
    "one embedded service": ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:4566"}, "E005"),
    "without TLS": ({"CONTROLPLANE_TLS": "false"}, "E006"),
    "no host names": ({"DJANGO_ALLOWED_HOSTS": None}, "E007"),
    "every host name": ({"DJANGO_ALLOWED_HOSTS": "console.example.com,*"}, "E007"),
    "no Redis": ({"REDIS_URL": None}, "E008"),
    "one secret for two purposes": ({"AUDIT_KEY": PRODUCTION["DJANGO_SECRET_KEY"]}, "E009"),
    "a database in the clear": ({"DATABASE_URL": "postgresql://u:p@db.example.com/n"}, "E010"),
    "a database with a fallback to the clear": ({"DATABASE_URL": "postgresql://u:p@db.example.com/n?sslmode=prefer"}, "E010"),
    "default token pepper": ({"TOKEN_PEPPERS": None}, "E012"),
    "default pepper of keys": ({"KEY_PEPPERS": None}, "E013"),
    "one pepper for two purposes": ({"KEY_PEPPERS": PRODUCTION["TOKEN_PEPPERS"]}, "E009"),
    "the stand-in's key": ({"AWS_ACCESS_KEY_ID": "test"}, "E011"),
}


def _ids(config: object) -> list[str]:
    return [str(message.id) for message in contradictions(config)]


@pytest.mark.parametrize("environment", ["stage", "production"])
def test_a_sound_configuration_may_start(production: ReadSettings, environment: str) -> None:
    assert _ids(production(CONTROLPLANE_ENVIRONMENT=environment)) == []


@pytest.mark.parametrize("environment", ["stage", "production"])
@pytest.mark.parametrize("name", SPOILED)
def test_what_must_not_start(production: ReadSettings, name: str, environment: str) -> None:
    changes, expected = SPOILED[name]
    assert _ids(production(CONTROLPLANE_ENVIRONMENT=environment, **changes)) == [f"controlplane.{expected}"]


def test_dev_is_held_to_nothing(read_settings: ReadSettings) -> None:
    assert _ids(read_settings(DJANGO_DEBUG="true")) == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("http://127.8.9.1:1", True),
        ("http://0.0.0.0:1", True),
        ("http://[::]:1", True),
        ("unix:///run/x", True),
        ("https://vpce-1.sts.eu-central-1.vpce.amazonaws.com", False),
        ("http://10.0.0.5:4566", False),
        ("https://localhost.example.com", False),
    ],
)
def test_loopback(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected


def test_a_database_on_this_machine_needs_no_tls(production: ReadSettings) -> None:
    assert _ids(production(DATABASE_URL="postgresql://u:p@127.0.0.1/n")) == []
    assert _ids(production(DATABASE_URL="postgresql:///n?host=/var/run/postgresql")) == []


def test_the_refusal_names_every_contradiction() -> None:
    with (
        override_settings(ENVIRONMENT="production", DEBUG=True, ALLOWED_HOSTS=["*"]),
        pytest.raises(SettingError, match="Refusing to start in production") as caught,
    ):
        refuse_unsafe_start()
    assert "controlplane.E002" in str(caught.value)
    assert "controlplane.E007" in str(caught.value)


STARTS = {
    "a command": ["manage.py", "migrate", "--plan"],
    "a command that Django does not check for": ["manage.py", "shell", "-c", "print('started')"],
    "WSGI": ["-c", "import controlplane.wsgi"],
    "ASGI": ["-c", "import controlplane.asgi"],
    "the worker": ["-m", "celery", "-A", "controlplane", "worker", "--pool", "threads"],
    "the clock": ["-m", "celery", "-A", "controlplane", "beat", "--schedule", "{folder}/schedule"],
}


@pytest.mark.parametrize("name", STARTS)
def test_no_way_to_start_passes_by(name: str, tmp_path: Path) -> None:
    """Really started, each of them, with a debug server's settings: it must end at once and say why."""
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, "DJANGO_DEBUG": "true", "CONTROLPLANE_STATE_DIR": str(tmp_path)}
    arguments = [argument.format(folder=tmp_path) for argument in STARTS[name]]
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "Refusing to start in production" in done.stderr
    assert "controlplane.E002" in done.stderr
    assert "started" not in done.stdout


def test_check_itself_reports_instead_of_refusing(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, "DJANGO_DEBUG": "true", "CONTROLPLANE_STATE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "(controlplane.E002)" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_id_is_tested_and_explained_and_none_is_used_twice() -> None:
    import re

    used = re.findall(r'id="controlplane\.(E\d+)"', (ROOT / "controlplane" / "checks.py").read_text())
    explained = re.findall(r"^\| `controlplane\.(E\d+)` \|", (ROOT / "SECURITY.md").read_text(), re.MULTILINE)
    assert len(used) == len(set(used))
    assert set(used) == set(explained) == {expected for _, expected in SPOILED.values()}

"""Settings read anew, under an environment of the test's own."""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "CONTROLPLANE_ENVIRONMENT": "production",
    "DJANGO_SECRET_KEY": "k" * 20 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "AUDIT_KEY": "a" * 20 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "TOKEN_PEPPERS": "1:" + "p" * 20 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "KEY_PEPPERS": "1:" + "q" * 20 + "0123456789abcdefghijklmnopqrstuvwxyz",
    "DJANGO_ALLOWED_HOSTS": "console.example.com",
    "DATABASE_URL": "postgresql://user:password@db.example.com/controlplane?sslmode=verify-full",
    "REDIS_URL": "rediss://redis.example.com/0",
}
"""A configuration that may start; each test spoils one thing."""

ReadSettings = Callable[..., SimpleNamespace]


@pytest.fixture
def read_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ReadSettings:
    """Give a function that runs ``settings.py`` with these variables and no others; what it does to the environment is undone."""

    def read(**variables: str) -> SimpleNamespace:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        for name in list(os.environ):
            monkeypatch.delenv(name)
        here = {"CONTROLPLANE_STATE_DIR": str(tmp_path), "CONTROLPLANE_ENV_FILE": str(tmp_path / ".env")}
        for name, value in {**kept, **here, **variables}.items():
            monkeypatch.setenv(name, value)
        return SimpleNamespace(**runpy.run_path(str(ROOT / "controlplane" / "settings.py")))

    return read


@pytest.fixture
def production(read_settings: ReadSettings) -> ReadSettings:
    """Give a function that reads production's settings with these variables changed; None takes one away."""

    def read(**changes: str | None) -> SimpleNamespace:
        wanted = {**PRODUCTION, **changes}
        return read_settings(**{name: value for name, value in wanted.items() if value is not None})

    return read

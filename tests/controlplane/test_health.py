"""Alive and ready: each part that is away is found, named to operators and to the logs, and to nobody else."""

from __future__ import annotations

import json
import logging
import time
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client, override_settings

from controlplane import health
from tests.services import HeldPort

pytestmark = pytest.mark.django_db
NOBODY_LISTENS = HeldPort()


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Any:
    """Give a function that takes one part away."""
    dead = f"redis://:hunter2@127.0.0.1:{NOBODY_LISTENS.number}/0"

    def take(name: str) -> None:
        if name == "database":

            def fail() -> None:
                raise RuntimeError("connection to hunter2 failed")

            monkeypatch.setitem(health.PARTS, "database", fail)
        elif name == "redis":
            settings.REDIS_URL = dead
        else:
            from controlplane.celery import app

            monkeypatch.setitem(app.conf, "broker_write_url", dead)

    return take


def test_alive_touches_nothing(client: Client, away: Any) -> None:
    for name in health.PARTS:
        away(name)
    answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_when_every_part_answers(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["database", "redis", "broker"])
def test_not_ready_says_no_more_than_that(client: Client, away: Any, name: str, caplog: pytest.LogCaptureFixture) -> None:
    away(name)
    started = time.monotonic()
    with caplog.at_level(logging.WARNING, "controlplane.health"):
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready"})
    assert time.monotonic() - started < 10
    assert [record.getMessage() for record in caplog.records if record.name == "controlplane.health"] == [f"{name} does not answer"]


def test_every_part_that_is_away_is_logged(client: Client, away: Any, caplog: pytest.LogCaptureFixture) -> None:
    away("database")
    away("redis")
    client.get("/readyz")
    assert {record.getMessage() for record in caplog.records} >= {"database does not answer", "redis does not answer"}


@override_settings(SECURE_SSL_REDIRECT=True, ALLOWED_HOSTS=["console.example.com"])
def test_probes_come_by_address_and_without_tls(client: Client) -> None:
    assert client.get("/livez", HTTP_HOST="10.1.2.3").status_code == 200
    assert client.get("/readyz", HTTP_HOST="10.1.2.3").status_code == 200
    assert client.get("/console/", HTTP_HOST="console.example.com").status_code == 301


def test_only_reading_is_answered(client: Client) -> None:
    assert client.head("/livez").status_code == 200
    assert client.post("/livez").status_code in (403, 404, 405)


def _operator(*, staff: bool = True) -> Any:
    return get_user_model().objects.create_user("mona", is_staff=staff)


def test_parts_are_for_operators_with_both_factors(client: Client, away: Any) -> None:
    from django_otp import DEVICE_ID_SESSION_KEY
    from django_otp.plugins.otp_totp.models import TOTPDevice

    away("redis")
    assert client.get("/console/readyz").status_code == 404
    user = _operator()
    client.force_login(user)
    assert client.get("/console/readyz").status_code == 404
    device = TOTPDevice.objects.create(user=user, confirmed=True)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()
    answer = client.get("/console/readyz")
    assert answer.status_code == 503
    parts = answer.json()["parts"]
    assert {name: part["ok"] for name, part in parts.items()} == {"database": True, "redis": False, "broker": True}
    assert parts["redis"]["error"] == "ConnectionError"
    assert "hunter2" not in json.dumps(parts)

"""Every text that was ever made, looked for everywhere but in the store: no row, no log line, no message, no error holds one. ASVS 5.0: 14.2.4."""

from __future__ import annotations

import base64
import io
import logging
import traceback
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.db import connection

from controlplane.logs import JsonFormatter, WithoutSecrets
from core.aws.errors import AwsError
from core.errors import DomainError
from core.outbox import doorbell
from core.outbox.relay import relay
from tenants.keys import evidence, rotation, services, tending, tokens
from tenants.keys.store import KeyStoreError
from tenants.keys.verification import verify
from tenants.models import Tenant
from tests import faults
from tests.tenants.keys.stories import HOUR, Scene, mend, run_clock, scene_of
from tests.tenants.keys.world import OLGA, StoreEyes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, clean_redis: redis.Redis) -> list[str]:
    """What is sent to workers, and really sent; the broker is the test's own Redis."""
    messages: list[str] = []
    send = current_app.send_task

    def sending(*arguments: Any, **options: Any) -> Any:
        messages.append(repr((arguments, {name: value for name, value in options.items() if name != "producer"})))
        return send(*arguments, **options)

    monkeypatch.setattr(current_app, "send_task", sending)
    monkeypatch.setattr(doorbell._Quiet, "until", 0.0)
    return messages


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged at DEBUG, through the product's own filter and formatter, tracebacks too."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(WithoutSecrets())
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def live_through_everything(scene: Scene) -> None:
    """Issue, rotate, import, use, fail in every way, revoke; and the clock."""
    scene.issue()
    for error in ("denied", "outage", "lost", "timeout"):
        for operation in ("PutSecretValue", "DescribeSecret", "UpdateSecretVersionStage"):
            with (
                faults.inject("secretsmanager", operation, when="after", error=error, times=None),  # type: ignore[arg-type]
                suppress(DomainError),
            ):
                scene.rotate(overlap=HOUR, end_previous=True)
            mend(scene)
    verdict = verify(scene.given[-1])
    assert verdict.version is not None
    evidence.note_use(verdict.version, address="192.0.2.7")
    verify(scene.given[-1][:-1] + "?")
    scene.rotate(overlap=HOUR, end_previous=True)
    with suppress(DomainError):
        scene.rotate()
    with suppress(DomainError):
        services.issue_key(actor=OLGA, tenant_id=scene.tenant.pk, name=f"my {scene.given[-1]}")
    scene.revoke()
    scene.import_one()
    scene.rotate(overlap=HOUR)
    run_clock()
    relay()


def traces_of(text: str) -> list[str]:
    """What would give a text away: itself, its secret part, and either in base64, as messages are packed."""
    secret = text.rpartition("_")[2] if tokens.parse_token(text) else text
    packed = [base64.b64encode(b"x" * shift + secret.encode()).decode()[4 + (shift > 0) * 4 : -8] for shift in (0, 1, 2)]
    return [text, secret, *packed]


def found_in(haystack: str, made: list[str]) -> list[str]:
    return [f"text {number}" for number, text in enumerate(made) if any(trace in haystack for trace in traces_of(text))]


def whole_database() -> Iterator[tuple[str, str]]:
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # the database's own names
            for row in cursor.fetchall():
                yield table, " ".join(bytes(v).decode("latin-1") if isinstance(v, bytes | memoryview) else str(v) for v in row)


def whole_redis(client: redis.Redis) -> Iterator[str]:
    readers = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"hash": client.hgetall,
        b"stream": client.xrange,
    }
    for key in client.scan_iter():
        yield f"{key!r} {readers[client.type(key)](key)!r}"


def test_no_text_is_anywhere_but_in_the_store(
    acme: Tenant, globex: Tenant, store_eyes: StoreEyes, sent: list[str], log: io.StringIO, clean_redis: redis.Redis
) -> None:
    made: list[str] = []
    for tenant in (acme, globex):
        with scene_of(tenant) as scene:
            live_through_everything(scene)
            assert store_eyes.text(scene.key) == scene.made[-1], "the last one is where it belongs"
            made += scene.made
    assert len(made) > 30
    rows = list(whole_database())
    assert len({table for table, _ in rows}) > 10
    assert any(made[0].split("_")[2] in row for _, row in rows), "the visible start is there, so the eyes are open"
    assert [(table, row[:60]) for table, row in rows if found_in(row, made)] == []
    assert sent, "somebody was rung"
    assert found_in("\n".join(sent), made) == []
    kept = list(whole_redis(clean_redis))
    assert kept
    assert found_in("\n".join(kept), made) == []
    logged = log.getvalue()
    assert "a key was not written to the store" in logged
    assert found_in(logged, made) == []
    assert logging.getLogger("botocore").getEffectiveLevel() >= logging.INFO, "at DEBUG it writes whole requests"


def test_the_log_is_clean_before_its_filter_too(acme: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), scene_of(acme) as scene:
        live_through_everything(scene)
        made = scene.made
    formatter = logging.Formatter()
    lines = [f"{formatter.format(record)} {vars(record)}" for record in caplog.records]
    assert lines
    assert [line for line in lines if found_in(line, made)] == []


@pytest.mark.parametrize("error", ["denied", "outage", "throttle", "lost", "unreachable"])
def test_what_is_raised_does_not_hold_the_text(acme: Tenant, error: faults.Named) -> None:
    with scene_of(acme) as scene:
        with faults.inject("secretsmanager", "PutSecretValue", error=error, times=None), pytest.raises(KeyStoreError) as caught:
            scene.issue()
        assert scene.made
        chain: list[BaseException] = [caught.value]
        while chain[-1].__cause__ or chain[-1].__context__:
            chain.append(chain[-1].__cause__ or chain[-1].__context__)  # type: ignore[arg-type]
        assert any(isinstance(one, AwsError) for one in chain), "the chain is whole"
        told = "".join(traceback.format_exception(caught.value))
        shown = [f"{one} {one!r} {one.args} {vars(one)}" for one in chain]
        assert found_in(told + " ".join(shown), scene.made) == []
        assert "arn:" not in str(caught.value), "nor AWS's own words"


def test_what_is_given_back_does_not_show_the_text(acme: Tenant) -> None:
    with scene_of(acme) as scene:
        issued = services.issue_key(actor=OLGA, tenant_id=acme.pk, name="ingest")
        rotated = rotation.rotate_key(actor=OLGA, tenant_id=acme.pk, key_id=issued.key.pk)
        shown = f"{issued!r} {issued} {rotated!r} {vars(issued.version)} {vars(issued.key)} {verify(issued.text)!r}"
        assert found_in(shown, scene.made) == []
        assert tending.end_overlaps() == 0
        assert settings.KEY_PEPPERS[1].decode() not in shown


@pytest.mark.parametrize("before", ["", "x", "xy", '{"key": "'])
def test_the_eyes_see_through_the_packing_of_messages(before: str) -> None:
    text = tokens.new_token("cpk", "live").text
    assert found_in(base64.b64encode(f'{before}{text}"}}'.encode()).decode(), [text]) == ["text 0"]
    assert found_in(base64.b64encode(b"nothing of the kind, but just as long as that would be").decode(), [text]) == []

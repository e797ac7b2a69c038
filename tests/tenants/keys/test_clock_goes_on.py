"""One key that cannot be worked on holds up no other, whatever it raises: the clock is everybody's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.keys import endings, rotation, store, tasks, tending
from tenants.keys.models import ApiKey, KeyVersion
from tenants.models import Tenant
from tests.controlplane.api.held import Held, add_version, hold
from tests.tenants.keys.world import OLGA

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(hours=1)


@pytest.fixture
def broken(acme: Tenant) -> Held:
    """The key that is due first, and breaks whoever touches it."""
    return hold(acme, name="broken")


@pytest.fixture
def sound(acme: Tenant) -> Held:
    return hold(acme, name="sound")


@pytest.fixture
def done(broken: Held, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys that were worked on; the broken one raises what nobody foresaw."""
    found: list[str] = []

    def work(key_id: str, **_: Any) -> Any:
        if key_id == broken.key.pk:
            raise RuntimeError("nobody foresaw this")
        found.append(key_id)
        return "settled"

    monkeypatch.setattr(store, "converge", work)
    monkeypatch.setattr(rotation, "rotate_key", lambda *, key_id, **_: work(key_id))
    return found


def make_due(first: Held, second: Held, **columns: Any) -> None:
    """Have the first be due before the second: ``columns`` are set to these times."""
    for place, held in enumerate((first, second)):
        moment = timezone.now() - LONG_AGO + timedelta(minutes=place)
        ApiKey.objects.filter(pk=held.key.pk).update(**{name: moment for name in columns if columns[name] is None})
        ApiKey.objects.filter(pk=held.key.pk).update(**{name: value for name, value in columns.items() if value is not None})


def test_settling_goes_on_after_a_key_that_breaks(broken: Held, sound: Held, done: list[str]) -> None:
    make_due(broken, sound, store_due_at=None, store_state="unsettled")
    assert tending.settle_stores() == 1
    assert done == [sound.key.pk]


def test_rotating_goes_on_and_does_not_try_the_broken_one_every_five_seconds(broken: Held, sound: Held, done: list[str]) -> None:
    make_due(broken, sound, rotate_due_at=None)
    assert tending.rotate_due() == 1
    assert done == [sound.key.pk]
    again_at = ApiKey.objects.get(pk=broken.key.pk).rotate_due_at
    assert again_at is not None
    assert again_at > timezone.now()


def test_what_is_over_ends_although_one_breaks(broken: Held, sound: Held, done: list[str]) -> None:
    for place, held in enumerate((broken, sound)):
        over = timezone.now() - LONG_AGO + timedelta(minutes=place)
        born = over - LONG_AGO
        add_version(held.key, 2, stage="previous", issued_at=born, promoted_at=born, retires_at=over)
    tending.end_overlaps()
    assert not KeyVersion.objects.filter(stage="previous").exists()
    KeyVersion.objects.update(expires_at=timezone.now() - timedelta(minutes=1), issued_at=timezone.now() - LONG_AGO)
    tending.end_expired()
    assert set(ApiKey.objects.values_list("state", flat=True)) == {"expired"}
    assert done == [sound.key.pk] * 2


@pytest.mark.parametrize("task", [tasks.settle, tasks.tend])
def test_a_part_that_breaks_does_not_keep_the_later_ones_from_running(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    names = [name for name in task.run.__code__.co_names if hasattr(tending, name)]
    assert len(names) >= 3

    def part(name: str) -> Any:
        def run() -> int:
            ran.append(name)
            raise RuntimeError("nobody foresaw this")

        return run

    for name in names:
        monkeypatch.setattr(tending, name, part(name))
    with pytest.raises(RuntimeError):
        task.run()
    assert ran == names


def test_a_key_that_breaks_says_so_and_waits(broken: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: Any) -> Any:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(store, "place_of", cannot)
    make_due(broken, broken, store_due_at=None, store_state="unsettled")
    assert tending.settle_stores() == 0
    key = ApiKey.objects.get(pk=broken.key.pk)
    assert (key.store_state, key.store_error, key.store_failures) == ("unsettled", "RuntimeError", 1)
    assert key.store_due_at is not None
    assert key.store_due_at > timezone.now()


def test_reminding_goes_on_after_a_key_that_breaks(broken: Held, sound: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = timezone.now() + timedelta(days=3)
    KeyVersion.objects.filter(pk=broken.version.pk).update(expires_at=soon)
    KeyVersion.objects.filter(pk=sound.version.pk).update(expires_at=soon + timedelta(hours=1))
    tell, told = endings.tell, []

    def cannot(key: ApiKey, *about: Any) -> None:
        if key.pk == broken.key.pk:
            raise RuntimeError("nobody foresaw this")
        told.append(key.pk)
        tell(key, *about)

    monkeypatch.setattr(endings, "tell", cannot)
    assert tending.remind() == 1
    assert told == [sound.key.pk]


def test_removing_a_tenant_takes_rows_in_the_order_of_everybody_else(broken: Held) -> None:
    """Versions before keys would wait for a promotion that holds the key and waits for its versions: PostgreSQL kills one of the two."""
    with CaptureQueriesContext(connection) as asked:
        assert endings.end_all(broken.key.tenant_id, because="offboarded", actor=OLGA, reason="left") == 1
    tables = [query["sql"].split('"')[1] for query in asked if query["sql"].startswith("UPDATE")]
    assert tables[:2] == [ApiKey._meta.db_table, KeyVersion._meta.db_table]
    assert not KeyVersion.objects.exclude(stage="retired").exists()

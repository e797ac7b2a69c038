"""The list of keys: as many queries for thousands as for five, found by name and visible start, nobody else's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tenants.keys import evidence, tokens
from tenants.keys.models import ApiKey, KeyDay, KeyUse, KeyVersion
from tests.controlplane.console.made_up_keys import fill_keys, made_up_key, use
from tests.controlplane.portal.people import signed_in

if TYPE_CHECKING:
    from tenants.members.models import Member
    from tenants.models import Tenant

pytestmark = pytest.mark.django_db
KEYS = "/portal/acme/keys/"


def many(tenant: Tenant, number: int, by: str) -> None:
    """That many keys with a current and a previous version each, and a call an hour ago."""
    now = timezone.now()
    keys = [
        ApiKey(
            tenant=tenant,
            public_id=tokens.new_public_id(),
            brand="cpk",
            environment="live",
            name=f"key {place}",
            scopes=["events:write"],
            state="active",
            created_by=by,
            created_at=now,
            store_state="settled",
        )
        for place in range(number)
    ]
    ApiKey.objects.bulk_create(keys, batch_size=500)
    versions = [
        KeyVersion(
            key=key,
            number=1 + (stage == "current"),
            stage=stage,
            pepper_id=1,
            digest=hashlib.sha256(f"{key.pk}{stage}".encode()).hexdigest(),
            last_four="abcd",
            created_by=by,
            issued_at=now,
            expires_at=now + timedelta(days=90),
            retires_at=now + timedelta(hours=2) if stage == "previous" else None,
        )
        for key in keys
        for stage in ("previous", "current")
    ]
    KeyVersion.objects.bulk_create(versions, batch_size=500)
    hour = now.replace(minute=0, second=0, microsecond=0)
    KeyUse.objects.bulk_create((KeyUse(version=version, hour=hour, calls=3) for version in versions), batch_size=500)
    KeyDay.objects.bulk_create((KeyDay(tenant=tenant, key=key, day=hour.date(), calls=6) for key in keys), batch_size=500)


def queries_of(ask: Callable[[], Any]) -> int:
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert ask().status_code == 200
    return len(seen)


def test_thousands_of_keys_take_as_many_queries_as_five(owner: Member, acme: Tenant) -> None:
    client = signed_in(owner)
    paths = (
        *("keys/", "keys/?q=key&state=active&environment=live", "keys/?page=2", "keys/?page=9999", "keys/?state=expired"),
        *("keys/?q=cpk_live_", "usage/", "usage/?day=yesterday", "activity/", "activity/?what=key&who=hook"),
    )

    def counted() -> dict[str, int]:
        return {path: queries_of(lambda: client.get(f"/portal/acme/{path}")) for path in paths}  # noqa: B023  # asked at once

    many(acme, 5, f"member:{owner.pk}")
    few = counted()
    many(acme, 5_000, f"member:{owner.pk}")
    assert all(number <= few[path] for path, number in counted().items()), (few, counted())
    assert max(few.values()) <= 13, few  # of usage, with the limits and what was refused


def test_a_keys_page_takes_as_many_queries_for_many_versions(owner: Member, acme: Tenant) -> None:
    client = signed_in(owner)
    young = made_up_key(acme, "young", versions=({},))
    old = made_up_key(acme, "old", versions=({},) * 18)
    assert queries_of(lambda: client.get(f"{KEYS}{young.pk}/")) == queries_of(lambda: client.get(f"{KEYS}{old.pk}/"))


def shown(client: Any, query: str) -> list[str]:
    answer = client.get(f"{KEYS}?{query}")
    assert answer.status_code == 200
    return [line.key.name for line in answer.context_data["lines"]]


def test_keys_are_found_and_filtered(owner: Member, acme: Tenant) -> None:
    client, roles = signed_in(owner), fill_keys([acme, acme, acme])
    start = f"cpk_{roles['soon'].environment}_{roles['soon'].public_id}"
    assert shown(client, "q=grade") == ["Grade book sync"]
    assert shown(client, f"q={start}") == shown(client, f"q={start[:18]}") == ["Reporting"]
    assert shown(client, f"q={roles['soon'].pk}") == ["Reporting"]
    assert shown(client, "state=expired") == ["Conference demo"]
    assert shown(client, "state=revoked") == ["Old player"]
    assert set(shown(client, "environment=test")) == {"Load test", "Mobile app"}
    assert shown(client, "q=nothing") == []
    assert len(shown(client, "state=nonsense&environment=moon&page=x")) == len(shown(client, ""))
    assert "No key is like this" in client.get(f"{KEYS}?q=nothing").content.decode()


def test_a_key_that_was_used_through_an_edge_has_no_address(owner: Member, acme: Tenant) -> None:
    many(acme, 1, "test")
    client, key = signed_in(owner), ApiKey.objects.get(tenant=acme)
    pages = (KEYS, f"{KEYS}{key.pk}/")
    assert not any("no address noted" in client.get(path).content.decode() for path in pages), "it was never used"
    evidence.see([version.pk for version in key.versions.all()], timezone.now())
    assert all("no address noted" in client.get(path).content.decode() for path in pages)


def test_a_whole_key_that_is_pasted_into_the_search_goes_no_further(owner: Member, acme: Tenant) -> None:
    key = made_up_key(acme, "pasted")
    text = tokens.new_token("cpk", "live", public_id=key.public_id).text
    answer = signed_in(owner).get(KEYS, {"q": text}, follow=True)
    page = answer.content.decode()
    assert text not in page
    assert text not in str(answer.redirect_chain)
    assert "That was a whole key" in page
    assert "pasted" in page


def test_pages_are_numbered(owner: Member, acme: Tenant) -> None:
    client = signed_in(owner)
    many(acme, 60, f"member:{owner.pk}")
    names = [name for page in (1, 2, 3, 4) for name in shown(client, f"page={page}")]
    assert len(set(names)) == 60
    assert 'aria-current="page">2<' in client.get(f"{KEYS}?page=2").content.decode()


def test_nothing_of_another_tenants_is_shown(owner: Member, acme: Tenant, globex: Tenant) -> None:
    theirs = made_up_key(globex, "Secretive")
    use(theirs.versions.get(), [9] * 24)
    client = signed_in(owner)
    for path in ("keys/", f"keys/?q={theirs.pk}", f"keys/?q={theirs.public_id}", "usage/", "activity/", "api/"):
        page = client.get(f"/portal/acme/{path}").content.decode()
        assert "Secretive" not in page
        assert globex.pk not in page


def test_an_empty_list_says_what_to_do(owner: Member, viewer: Member) -> None:
    assert "Issue the first key" in signed_in(owner).get(KEYS).content.decode()
    assert "Your role lets you look." in signed_in(viewer).get(KEYS).content.decode()


def test_names_cannot_bring_markup(owner: Member, acme: Tenant) -> None:
    key = made_up_key(acme, "<script>alert(1)</script>", metadata={"<b>": "<i>x</i>"}, state_reason="<u>")
    client = signed_in(owner)
    for path in (
        KEYS,
        f"{KEYS}{key.pk}/",
        f"{KEYS}{key.pk}/revoke/",
        f"{KEYS}{key.pk}/edit/",
        f"{KEYS}?q=<script>alert(1)</script>",
    ):
        page = client.get(path).content.decode()
        assert "<script>alert" not in page
        assert "<i>x" not in page

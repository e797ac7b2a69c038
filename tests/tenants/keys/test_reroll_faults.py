"""What goes wrong in the reroll of a widely used key server (Unkey v2, ``keys.rerollKey``), and does not here.

There a reroll makes a whole new key with the old one's settings and overwrites the old one's expiry with now plus the overlap, so that an expiry
that was nearer moves away; it asks neither whether the old key is disabled nor whether it has expired; of a prefix it keeps what stands
before the first underscore; and which key replaced which is told by the words of an audit line alone.
https://github.com/unkeyed/unkey/blob/0495a7539f889139c33ebfcd05fdb644d1e7d18a/go/apps/api/routes/v2_keys_reroll_key/handler.go
https://www.unkey.com/docs/api-reference/v2/keys/reroll-key
"""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from core.errors import ConflictError
from tenants import clouds
from tenants.keys import rotation, selectors, services, tending
from tenants.keys.making import IssuedKey
from tenants.keys.models import ApiKey, KeyVersion
from tenants.keys.rotation import NotRotatableError
from tenants.keys.verification import Code, verify
from tenants.models import Tenant
from tests.tenants.keys.aws_like_store import AwsLikeStore
from tests.tenants.keys.world import OLGA

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> AwsLikeStore:
    store = AwsLikeStore()
    monkeypatch.setattr(clouds, "connect_to", lambda *_, **__: store)
    return store


def issue(tenant: Tenant, **fields: object) -> IssuedKey:
    return services.issue_key(actor=OLGA, tenant_id=tenant.pk, name="ingest", **fields)


def rotate(issued: IssuedKey, **how: object) -> IssuedKey:
    return rotation.rotate_key(actor=OLGA, tenant_id=issued.key.tenant_id, key_id=issued.key.pk, **how)


@pytest.mark.parametrize("overlap", [None, HOUR, DAY, 365 * DAY])
def test_an_overlap_does_not_extend_a_version_s_own_end(acme: Tenant, overlap: timedelta | None) -> None:
    end = timezone.now() + 30 * MINUTE
    first = issue(acme, expires_at=end)
    second = rotate(first, overlap=overlap)
    former = KeyVersion.objects.get(pk=first.version.pk)
    assert former.expires_at == end
    assert former.retires_at is not None
    assert former.retires_at <= end
    assert second.version.expires_at == end, "nor does the successor outlive the key"
    with time_machine.travel(end - timedelta(seconds=1), tick=False):
        assert verify(first.text).code is Code.VALID
    with time_machine.travel(end, tick=False):
        assert [verify(text).code for text in (first.text, second.text)] == [Code.EXPIRED, Code.EXPIRED]


def test_an_overlap_is_no_longer_than_the_tier_allows(acme: Tenant) -> None:
    longest = timedelta(seconds=acme.tier.key_overlap_seconds)
    first = issue(acme)
    with time_machine.travel(timezone.now(), tick=False) as time:
        rotate(first, overlap=10 * longest)
        time.shift(longest)
        assert verify(first.text).code is Code.EXPIRED


def test_an_expired_key_is_not_resurrected(acme: Tenant) -> None:
    first = issue(acme, expires_at=timezone.now() + 2 * DAY)
    with time_machine.travel(timezone.now() + 2 * DAY, tick=False):
        with pytest.raises(NotRotatableError):
            rotate(first)
        tending.end_expired()
        with pytest.raises(ConflictError):
            rotate(first, end_previous=True)
        assert verify(first.text).code is Code.EXPIRED
        assert KeyVersion.objects.filter(key=first.key).count() == 1


def test_a_disabled_key_is_not_resurrected(acme: Tenant) -> None:
    first = issue(acme)
    services.disable_key(actor=OLGA, tenant_id=acme.pk, key_id=first.key.pk, reason="odd calls")
    with pytest.raises(NotRotatableError):
        rotate(first)
    assert verify(first.text).code is Code.DISABLED
    assert ApiKey.objects.get(pk=first.key.pk).state == "disabled"


def test_a_key_that_is_disabled_while_it_is_rotated_stays_disabled(acme: Tenant, store: AwsLikeStore) -> None:
    first = issue(acme)

    def disable(when: str, call: str) -> None:
        if (when, call) == ("after", "put_value"):
            services.disable_key(actor=OLGA, tenant_id=acme.pk, key_id=first.key.pk, reason="odd calls")

    store.around = disable
    with pytest.raises(ConflictError):
        rotate(first)
    assert verify(first.text).code is Code.DISABLED
    assert not KeyVersion.objects.filter(key=first.key, number=2, promoted_at__isnull=False).exists()


def test_a_revoked_key_is_not_resurrected(acme: Tenant) -> None:
    first = issue(acme)
    services.revoke_key(actor=OLGA, tenant_id=acme.pk, key_id=first.key.pk, reason="left")
    with pytest.raises(ConflictError):
        rotate(first, end_previous=True)
    assert verify(first.text).code is Code.NOT_FOUND


def test_the_whole_visible_start_stays(acme: Tenant) -> None:
    first = issue(acme, environment="test")
    texts = [first.text, *(rotate(first, end_previous=True).text for _ in range(3))]
    starts = {text.rpartition("_")[0] for text in texts}
    assert starts == {f"cpk_test_{first.key.public_id}"}
    assert len(set(texts)) == 4


def test_the_lineage_says_which_replaced_which(acme: Tenant) -> None:
    first = issue(acme)
    made = [first, *(rotate(first, end_previous=True, overlap=HOUR) for _ in range(2))]
    lineage = list(selectors.list_versions(selectors.get_key(acme.pk, first.key.pk)))
    assert [(version.number, version.stage) for version in lineage] == [(3, "current"), (2, "previous"), (1, "retired")]
    assert [version.pk for version in lineage] == [one.version.pk for one in reversed(made)]
    assert {version.key_id for version in lineage} == {first.key.pk}, "the key itself stays, with its name, scopes and history"
    assert lineage[-1].retired_because == "rotated"
    verdict = verify(first.text)
    assert (verdict.code, verdict.version) == (Code.EXPIRED, lineage[-1]), "whoever still uses the old text can be told what it was"

"""What is refused at its field: keys in reasons, ranges that mean nothing, and time that is not there any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.audit.models import AuditEvent
from core.errors import InvalidInputError
from tenants.keys import cidrs, importing, leak_policy, rotation, services
from tenants.keys.models import ApiKey, KeyVersion
from tenants.keys.permits import Holder, KeyTooStrongError, strength_of
from tenants.models import Tenant
from tests.controlplane.api.held import hold
from tests.tenants.keys.world import OLGA

pytestmark = pytest.mark.django_db
TEXT = "cpk_live_7QmXcT2bLw9ZrK4a_" + "h3Vt0pQy1" * 4 + "abc"  # the same in every process: it is in the tests' names
REASONS = [f"found {TEXT} in a ticket", f"key_{TEXT}"]


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("act", [services.disable_key, services.revoke_key, rotation.rotate_key, rotation.retire_previous])
def test_a_reason_with_a_key_in_it_is_refused_and_kept_nowhere(act: Any, reason: str, acme: Tenant) -> None:
    key = hold(acme).key
    with pytest.raises(InvalidInputError) as refused:
        act(actor=OLGA, tenant_id=acme.pk, key_id=key.pk, reason=reason)
    assert [error.pointer for error in refused.value.errors] == ["/reason"]
    assert not AuditEvent.objects.filter(action__startswith="key").exists()
    assert ApiKey.objects.get(pk=key.pk).state == "active"


def test_a_reason_that_only_names_a_tier_or_a_visible_start_is_one(acme: Tenant) -> None:
    reason = f"Basic subscription, Bearer authentication, {TEXT.rpartition('_')[0]}"
    key = services.disable_key(actor=OLGA, tenant_id=acme.pk, key_id=hold(acme).key.pk, reason=reason)
    assert key.state_reason == reason


def test_so_is_one_for_a_new_key_an_edit_an_import_and_the_policy(acme: Tenant) -> None:
    key = hold(acme).key
    about: dict[str, Any] = {"actor": OLGA, "tenant_id": acme.pk, "reason": REASONS[0]}
    for act in (
        lambda: services.issue_key(**about, name="new"),
        lambda: importing.import_key(**about, name="new", sha256="0" * 64),
        lambda: services.edit_key(**about, key_id=key.pk, name="new"),
        lambda: leak_policy.set_leak_action(**about, action="rotate"),
    ):
        with pytest.raises(InvalidInputError, match="holds a key"):
            act()
    assert not AuditEvent.objects.filter(action__startswith="key").exists()


@pytest.mark.parametrize("left", [timedelta(seconds=-1), timedelta(seconds=59)])
def test_a_version_that_is_about_to_end_makes_nothing_and_shortens_no_other_key(acme: Tenant, left: timedelta) -> None:
    manager, key = hold(acme).key, hold(acme).key
    within = Holder(manager.pk, strength_of(manager), timezone.now() + left)
    with pytest.raises(KeyTooStrongError):
        rotation.rotate_key(actor=OLGA, tenant_id=acme.pk, key_id=key.pk, within=within)
    with pytest.raises(KeyTooStrongError):
        services.issue_key(actor=OLGA, tenant_id=acme.pk, name="new", scopes=["events:write"], within=within)
    assert not KeyVersion.objects.filter(stage="pending").exists()
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("text", ["fe80::1%eth0", "fe80::%eth0/64", f"fe80::1%{TEXT[:40]}"])
def test_a_range_has_no_zone(text: str) -> None:
    with pytest.raises(ValueError, match="zone"):
        cidrs.normal_form(text)


@pytest.mark.parametrize(
    ("given", "wanted", "address"),
    [
        ("::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.2.3"),
        ("::ffff:192.0.2.7", "192.0.2.7/32", "::ffff:192.0.2.7"),
        ("::ffff:0:0/96", "0.0.0.0/0", "192.0.2.7"),
        ("::/0", "::/0", "2001:db8::1"),
    ],
)
def test_a_range_of_mapped_addresses_is_the_ipv4_range_inside(given: str, wanted: str, address: str) -> None:
    assert cidrs.normal_form(given) == wanted
    assert cidrs.is_within(address, [wanted])

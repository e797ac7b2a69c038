"""A tenant's connection as rows: who may act, what is kept of the secret, and when it may be switched on."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from django.db import IntegrityError, transaction

from core.actors import Actor, ActorKind
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from tests.cast import OPERATOR
from tests.tenants.members.test_services import by
from tests.tenants.members.world import new_member

if TYPE_CHECKING:
    from tenants.members.connection_inputs import Typed
    from tenants.members.models import Connection, Member
    from tenants.models import Tenant

SECRET = "the-wonderful-client-secret"


@pytest.fixture
def acme(acme: Tenant) -> Tenant:
    type(acme.tier).objects.filter(pk=acme.tier_id).update(sso_allowed=True)
    acme.tier.refresh_from_db()
    return acme


def typed(**values: str) -> Typed:
    from tenants.members.connection_inputs import Typed

    given = {"kind": "oidc", "issuer": "https://idp.example", "client_id": "acme", "client_secret": SECRET}
    return Typed(**{**given, **values})


def keep(tenant: Tenant, *, actor: Actor = OPERATOR, mark: str | None = None, **values: str) -> Connection:
    from tenants.members import connections

    row = connections.find(tenant.pk)
    seen = mark if mark is not None else row.mark if row else ""
    with transaction.atomic():
        return connections.keep(actor=actor, tenant=tenant, mark=seen, typed=typed(**values))


def tried(tenant: Tenant, *, on: bool = False, outcome: str = "good") -> Connection:
    from tenants.members import connections

    row = connections.find(tenant.pk) or keep(tenant)
    row = connections.note_try(actor=OPERATOR, tenant_id=tenant.pk, mark=row.mark, outcome=outcome)
    return connections.switch_on(actor=OPERATOR, tenant_id=tenant.pk, mark=row.mark) if on else row


def log_of(tenant: Tenant) -> list[tuple[str, str, Any]]:
    from core.audit.models import AuditEvent

    rows = AuditEvent.objects.filter(tenant_id=tenant.pk, action__startswith="connection.").order_by("pk")
    return [(row.action, row.reason, json.loads(row.details_json)) for row in rows]


def test_the_secret_is_sealed_and_in_nothing_else(acme: Tenant, owner: Member) -> None:
    from core.audit.models import AuditEvent
    from core.outbox.models import OutboxEvent
    from tenants.members import connections

    row = keep(acme, actor=by(owner))
    assert SECRET not in row.secret
    assert len(row.secret) > 60
    assert keep(acme).secret != row.secret, "the same text is sealed differently"
    acme.refresh_from_db()
    written = [str(list(model.objects.values())) for model in (AuditEvent, OutboxEvent)]
    assert SECRET not in "".join([*written, repr(typed()), str(acme.identity_provider), str(row.details)])
    row.refresh_from_db()
    assert connections.details_for_pool(acme.pk, row.mark)["client_secret"] == SECRET
    assert log_of(acme)[0] == ("connection.saved", "", {"kind": "oidc", "was_on": False})


def test_a_secret_under_a_key_that_is_gone_is_said(acme: Tenant, settings: Any) -> None:
    from tenants.members import connections

    row = keep(acme)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = (
        [settings.SECRET_KEY],
        "another key of the product, long enough for everything",
    )
    assert connections.details_for_pool(acme.pk, row.mark)["client_secret"] == SECRET
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(ConflictError) as caught:
        connections.details_for_pool(acme.pk, row.mark)
    assert caught.value.code == "secret-gone"


def test_details_are_given_for_the_mark_they_were_planned_for(acme: Tenant) -> None:
    from tenants.members import connections

    before = keep(acme).mark
    assert keep(acme).mark != before
    for mark in (before, "", "con_made-up"):
        with pytest.raises(ConflictError):
            connections.details_for_pool(acme.pk, mark)


def test_an_empty_secret_keeps_the_one_there_is_for_the_same_issuer_and_client(acme: Tenant) -> None:
    from tenants.members import connections

    with pytest.raises(InvalidInputError):
        keep(acme, client_secret="")
    keep(acme)
    row = keep(acme, client_secret="", scopes="openid")
    assert connections.details_for_pool(acme.pk, row.mark)["client_secret"] == SECRET
    for change in ({"issuer": "https://evil.example"}, {"client_id": "another"}):
        with pytest.raises(InvalidInputError) as caught:
            keep(acme, client_secret="", **change)
        assert [error.pointer for error in caught.value.errors] == ["/client_secret"]
    saml = keep(acme, kind="saml", metadata_url="https://idp.example/m")
    assert saml.secret == ""
    with pytest.raises(InvalidInputError):
        keep(acme, client_secret="")


def test_every_bad_field_is_named_at_once(acme: Tenant) -> None:
    with pytest.raises(InvalidInputError) as caught:
        keep(acme, issuer="http://idp.example", client_id="", client_secret="a b", domains="x", email_claim="a b")
    pointers = {error.pointer for error in caught.value.errors}
    assert pointers == {"/issuer", "/client_id", "/client_secret", "/domains", "/email_claim"}
    with pytest.raises(InvalidInputError):
        keep(acme, kind="ldap")


def test_the_engine_is_told_what_it_needs_and_no_custom_attribute(acme: Tenant) -> None:
    from tenants.selectors import facts_of

    row = keep(acme, email_claim="upn")
    facts = facts_of(acme).connection
    assert facts is not None
    assert (facts.kind, facts.mark, facts.mapping) == ("oidc", row.mark, (("email", "upn"), ("name", "name")))
    assert facts.callback_url.endswith("/portal/acme/sign-in/organisation/callback/")
    saml = keep(acme, kind="saml", metadata_url="https://idp.example/m")
    facts = facts_of(acme).connection
    assert facts is not None
    assert (facts.mapping, facts.mark) == ((("email", saml.email_claim),), saml.mark)
    acme.tier.sso_allowed = False
    assert facts_of(acme).connection is None


def test_only_an_owner_of_this_tenant_acts(acme: Tenant, admin: Member, viewer: Member, stranger: Member) -> None:
    from tenants.members import connections

    row = tried(acme)
    gone = new_member(acme, "owner", state="disabled")
    for actor in (by(admin), by(viewer), by(stranger), by(gone), Actor(ActorKind.HOOK, "x")):
        with pytest.raises(ForbiddenError):
            keep(acme, actor=actor)
        for act in (connections.switch_on, connections.switch_off):
            with pytest.raises(ForbiddenError):
                act(actor=actor, tenant_id=acme.pk, mark=row.mark)
        with pytest.raises(ForbiddenError):
            connections.note_try(actor=actor, tenant_id=acme.pk, mark=row.mark, outcome="good")
    row.refresh_from_db()
    assert not row.is_on


def test_it_is_switched_on_after_a_good_try_of_this_very_connection(acme: Tenant, owner: Member) -> None:
    from tenants.members import connections

    row = keep(acme)
    values = {"actor": by(owner), "tenant_id": acme.pk}
    with pytest.raises(ConflictError) as caught:
        connections.switch_on(**values, mark=row.mark)
    assert caught.value.code == "not-tried"
    tried(acme, outcome="nobody-here")
    with pytest.raises(ConflictError):
        connections.switch_on(**values, mark=row.mark)
    row = tried(acme)
    assert connections.find_on(acme) is None
    assert connections.switch_on(**values, mark=row.mark, reason="all invited").is_on
    assert connections.find_on(acme) == row
    connections.switch_on(**values, mark=row.mark)
    said = [(action, reason) for action, reason, _ in log_of(acme)]
    assert said.count(("connection.switched_on", "all invited")) == 1
    row = keep(acme)
    assert (row.is_on, connections.find_on(acme)) == (False, None)
    assert log_of(acme)[-1] == ("connection.saved", "", {"kind": "oidc", "was_on": True})
    with pytest.raises(ConflictError):
        connections.switch_on(**values, mark=row.mark)


def test_the_database_keeps_what_was_not_tried_off(acme: Tenant) -> None:
    from tenants.members.models import Connection

    keep(acme)
    with pytest.raises(IntegrityError), transaction.atomic():
        Connection.objects.update(is_on=True)


def test_a_stale_mark_changes_nothing(acme: Tenant) -> None:
    from tenants.members import connections
    from tenants.members.connections import StaleConnectionError

    old = tried(acme).mark
    row = keep(acme)
    for mark in (old, ""):
        with pytest.raises(StaleConnectionError):
            keep(acme, mark=mark)
        for act in (connections.switch_on, connections.switch_off):
            with pytest.raises(StaleConnectionError):
                act(actor=OPERATOR, tenant_id=acme.pk, mark=mark)
        with pytest.raises(StaleConnectionError):
            connections.note_try(actor=OPERATOR, tenant_id=acme.pk, mark=mark, outcome="good")
    row.refresh_from_db()
    assert (row.good_mark, row.tried_mark) == (old, old)


def test_falling_back_is_at_once_and_repeatable(acme: Tenant) -> None:
    from tenants.members import connections

    row = tried(acme, on=True)
    for _ in range(2):
        connections.switch_off(actor=OPERATOR, tenant_id=acme.pk, reason="their certificate ended")
    assert connections.find_on(acme) is None
    assert [entry[:2] for entry in log_of(acme)].count(("connection.switched_off", "their certificate ended")) == 1
    assert connections.switch_on(actor=OPERATOR, tenant_id=acme.pk, mark=row.mark).is_on, "it is as it was, and was tried"


def test_without_a_connection_there_is_nothing_to_switch(acme: Tenant) -> None:
    from tenants.members import connections

    with pytest.raises(NotFoundError):
        connections.switch_off(actor=OPERATOR, tenant_id=acme.pk)


def test_a_tier_that_allows_none_falls_back_by_itself(acme: Tenant) -> None:
    from tenants import services
    from tenants.members import connections

    row = tried(acme, on=True)
    services.update_tier(actor=OPERATOR, code=acme.tier_id, sso_allowed=True, reason="nothing changes")
    assert connections.find_on(acme) is not None
    services.update_tier(actor=OPERATOR, code=acme.tier_id, sso_allowed=False, reason="sold apart from now on")
    acme.refresh_from_db()
    row.refresh_from_db()
    assert (row.is_on, row.good_mark, connections.find_on(acme)) == (False, "", None)
    assert log_of(acme)[-1][:2] == ("connection.switched_off", "sold apart from now on")
    with pytest.raises(ConflictError):
        keep(acme)
    with pytest.raises(ConflictError):
        connections.switch_on(actor=OPERATOR, tenant_id=acme.pk, mark=row.mark)
    services.update_tier(actor=OPERATOR, code=acme.tier_id, sso_allowed=True, reason="back")
    acme.refresh_from_db()
    assert connections.find_on(acme) is None, "it does not come on again by itself"


def test_what_is_typed_shows_no_secret() -> None:
    assert SECRET not in repr(replace(typed(), scopes="x"))

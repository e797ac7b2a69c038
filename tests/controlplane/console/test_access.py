"""Every route of the console against every role. A route that is not in the table fails the test: nothing comes in unseen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from django.contrib import admin  # noqa: TID251  # its routes are what is tested
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from core.audit.models import AuditEvent
from core.ids import new_id

if TYPE_CHECKING:
    from tenants.models import Cell, Tenant

pytestmark = pytest.mark.django_db

SEEING = {
    "index",
    "overview_live",
    "load",
    "load_live",
    "tenants_tenant_usage",
    "search",
    "jsi18n",
    "password_change",
    "password_change_done",
    "tenants_tenant_changelist",
    "tenants_tenant_change",
    "tenants_tenant_live",
    "tenants_cell_changelist",
    "tenants_cell_change",
    "tenants_cell_live",
    "tenants_tier_changelist",
    "tenants_tier_change",
    "tenants_onboardingrequest_changelist",
    "tenants_onboardingrequest_change",
    "provisioning_operation_changelist",
    "provisioning_operation_change",
    "provisioning_operation_live",
    "provisioning_resource_changelist",
    "provisioning_resource_change",
    "audit_auditevent_changelist",
    "audit_auditevent_change",
    "keys_apikey_changelist",
    "keys_apikey_change",
    "keys_apikey_live",
}
ACTING = {
    "tenants_tenant_add",
    "tenants_tier_add",
    "tenants_tenant_act",
    "tenants_tenant_override",
    "tenants_tenant_override_end",
    "tenants_cell_act",
    "provisioning_operation_act",
    "tenants_tier_retire",
    "keys_apikey_act",
}
OPEN = {"login", "login_code", "login_enrol", "logout"}
NOBODY = {
    f"{app}_{model}_{verb}"
    for app, model in (
        ("tenants", "tenant"),
        ("tenants", "cell"),
        ("tenants", "tier"),
        ("tenants", "onboardingrequest"),
        ("provisioning", "operation"),
        ("provisioning", "resource"),
        ("audit", "auditevent"),
        ("keys", "apikey"),
    )
    for verb in ("add", "delete", "history")
} - ACTING | {"autocomplete", "view_on_site"}
ELSEWHERE = {"app_list"}
"""Goes to the overview."""


def routes(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns)
        elif pattern.name:
            yield pattern.name


@pytest.fixture
def paths(acme: Tenant, cell: Cell) -> dict[str, str]:
    """An address for every route, with things that exist; the operation is a failed one, so that its acts are lawful."""
    from provisioning.models import Operation
    from tenants.limits.services import set_override
    from tests.cast import OPERATOR
    from tests.controlplane.console.made_up_keys import made_up_key

    operation = Operation.objects.get(tenant=acme)
    Operation.objects.filter(pk=operation.pk).update(state="failed")
    of = {
        "tenants_tenant": acme.pk,
        "tenants_cell": cell.pk,
        "tenants_tier": "basic",
        "tenants_onboardingrequest": acme.requests.get().pk,
        "provisioning_operation": operation.pk,
        "provisioning_resource": acme.resources.first().pk,
        "audit_auditevent": AuditEvent.objects.first().pk,
        "keys_apikey": made_up_key(acme).pk,
    }
    acts = {"tenants_tenant": "suspend", "tenants_cell": "repair", "provisioning_operation": "retry", "keys_apikey": "disable"}
    lifted = set_override(actor=OPERATOR, tenant_id=acme.pk, limited="burst", value=99, reason="launch day")
    found: dict[str, str] = {
        "view_on_site": "/console/r/1/1/",
        "app_list": "/console/tenants/",
        "tenants_tenant_override_end": reverse("admin:tenants_tenant_override_end", args=[acme.pk, lifted.pk]),
    }
    for name in SEEING | ACTING | NOBODY | OPEN:
        noun, _, verb = name.rpartition("_")
        if name in found:
            continue
        if verb in ("change", "live", "retire", "delete", "history", "usage", "override") and noun in of:
            found[name] = reverse(f"admin:{name}", args=[of[noun]])
        elif verb == "act":
            found[name] = reverse(f"admin:{name}", args=[of[noun], acts[noun]])
        else:
            found[name] = reverse(f"admin:{name}")
    return found


def status(client: Client, method: str, path: str) -> int:
    return int(getattr(client, method)(path).status_code)


def test_every_route_is_in_the_table() -> None:
    assert set(routes(admin.site.get_urls())) == SEEING | ACTING | OPEN | NOBODY | ELSEWHERE


def test_a_stranger_and_a_password_alone_get_to_the_sign_in_and_nowhere_else(paths: dict[str, str], password_only: Client) -> None:
    events = AuditEvent.objects.count()
    for client in (Client(), password_only):
        for name in SEEING | ACTING | NOBODY | ELSEWHERE:
            for method in ("get", "post"):
                answer = getattr(client, method)(paths[name])
                assert answer.status_code == 302, (name, method)
                assert answer.url.startswith(reverse("admin:login")), (name, method, answer.url)
    assert AuditEvent.objects.count() == events


def test_an_operator_sees_and_acts(paths: dict[str, str], operator: Client) -> None:
    assert {name: status(operator, "get", paths[name]) for name in SEEING | ACTING} == dict.fromkeys(SEEING | ACTING, 200)


def test_a_viewer_sees_everything(paths: dict[str, str], viewer: Client) -> None:
    assert {name: status(viewer, "get", paths[name]) for name in SEEING} == dict.fromkeys(SEEING, 200)


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_viewer_acts_on_nothing(paths: dict[str, str], viewer: Client, method: str) -> None:
    events = AuditEvent.objects.count()
    assert {name: status(viewer, method, paths[name]) for name in ACTING} == dict.fromkeys(ACTING, 403)
    assert status(viewer, "post", paths["tenants_tier_change"]) == 403
    assert AuditEvent.objects.count() == events


def test_nobody_edits_rows_by_hand(paths: dict[str, str], operator: Client, viewer: Client) -> None:
    for client in (operator, viewer):
        for name in NOBODY:
            for method in ("get", "post"):
                assert status(client, method, paths[name]) in (403, 404, 405), (name, method)


OFFERING = (
    "index",
    "tenants_tenant_changelist",
    "tenants_tenant_change",
    "tenants_cell_change",
    "provisioning_operation_change",
    "keys_apikey_change",
    "tenants_tier_changelist",
)


def test_a_viewer_is_offered_no_button(paths: dict[str, str], operator: Client, viewer: Client) -> None:
    for name in OFFERING:
        offered = operator.get(paths[name]).content.decode()
        shown = viewer.get(paths[name]).content.decode()
        for trace in ("/act/", "/tenant/add/", "/tier/add/"):
            assert trace not in shown, name
        if name not in ("tenants_tier_changelist", "tenants_tenant_changelist"):
            assert "/act/" in offered, name


@pytest.mark.parametrize(
    "name",
    sorted(name for name in SEEING | ACTING if name.count("_") >= 2 and name.endswith(("_change", "_live", "_act", "_retire"))),
)
@pytest.mark.parametrize("wrong", ["nothing", "tnt_" + "0" * 26, "..", "\x00", "a" * 500, "1 OR 1=1", "é", "9" * 40])
def test_an_id_of_nothing_is_not_found(operator: Client, name: str, wrong: str) -> None:
    args = [wrong, "suspend"] if name.endswith("_act") else [wrong]
    path = reverse(f"admin:{name}", args=args)
    assert status(operator, "get", path) == 404


def test_an_act_that_does_not_exist_is_not_found(operator: Client, acme: Tenant) -> None:
    for act in ("destroy", "onboard", "deprovision", "retry"):
        assert status(operator, "get", reverse("admin:tenants_tenant_act", args=[acme.pk, act])) == 404


def test_a_tenant_of_an_unknown_id_is_not_found(operator: Client) -> None:
    assert status(operator, "get", reverse("admin:tenants_tenant_change", args=[new_id("tnt")])) == 404


def test_pages_are_never_cached_and_keep_their_policy(operator: Client, acme: Tenant) -> None:
    for path in (reverse("admin:index"), reverse("admin:tenants_tenant_change", args=[acme.pk])):
        headers = operator.get(path).headers
        assert "no-store" in headers["Cache-Control"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
    assert "unsafe" not in operator.get("/nothing-here").headers["Content-Security-Policy"]

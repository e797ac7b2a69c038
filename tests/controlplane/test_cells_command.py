"""``manage.py cells`` and ``tiers``: a place for tenants is registered, gets its documents, is prepared and listed."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.audit.models import AuditEvent
from provisioning.isolation.policies import control_plane_trust, provisioner_policy
from provisioning.models import Operation
from tenants.models import Cell, Tier
from tenants.selectors import facts_of_cell

pytestmark = pytest.mark.django_db
PLACE = ("--region", "eu-central-1", "--account-id", "123456789012", "--reason", "the first account")


def run(*words: str, **options: Any) -> str:
    out = StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def registered(code: str = "prod-eu", *more: str) -> Cell:
    run("cells", "register", code, *PLACE, *more)
    return Cell.objects.get(code=code)


def test_a_registered_cell_works_under_the_role_of_the_template_and_takes_nobody_yet() -> None:
    cell = registered("prod-eu", "--quota", "user_pools=1000", "--quota", "roles=5000")
    facts = facts_of_cell(cell)
    assert cell.state == "registered"
    assert cell.role_arn == f"arn:{facts.partition}:iam::123456789012:role/cp-prod-eu--control-plane"
    assert cell.quotas == {"user_pools": 1000, "roles": 5000}
    assert cell.capabilities == {}
    event = AuditEvent.objects.get(action="cell.registered")
    assert (event.actor_kind, event.reason) == ("operator", "the first account")


def test_another_role_is_taken_as_given() -> None:
    role = "arn:aws-us-gov:iam::123456789012:role/ours"
    cell = registered("gov", "--partition", "aws-us-gov", "--region", "us-gov-west-1", "--role-arn", role)
    assert (cell.role_arn, cell.partition, cell.region) == (role, "aws-us-gov", "us-gov-west-1")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("prod--eu", *PLACE), "code"),
        (("prod-eu", *PLACE, "--quota", "user_pool=1"), "no quota"),
        (("prod-eu", *PLACE, "--quota", "user_pools=many"), "no quota"),
        (("prod-eu", *PLACE, "--partition", "aws-moon"), "partition"),
        (("prod-eu", *PLACE, "--account-id", "12"), "account"),
    ],
)
def test_what_cannot_be_a_cell_is_refused_in_words(words: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        run("cells", "register", *words)
    assert not Cell.objects.exists()


def test_a_code_is_given_once() -> None:
    registered()
    with pytest.raises(CommandError, match="exists"):
        registered()


def test_documents_are_those_of_the_functions_and_nothing_else_is_written() -> None:
    facts, base = facts_of_cell(registered()), "arn:aws-cn:iam::123456789012:user/base"
    assert json.loads(run("cells", "policy", "provisioner", "prod-eu")) == provisioner_policy(facts)
    assert json.loads(run("cells", "policy", "trust", "prod-eu", "--base-arn", base)) == control_plane_trust(facts, base)
    statement = json.loads(run("cells", "policy", "base", "prod-eu"))["Statement"]
    assert [(each["Action"], each["Resource"]) for each in statement] == [(["sts:AssumeRole"], [facts.role_arn])]


def test_a_trust_policy_without_an_identity_is_refused() -> None:
    registered()
    with pytest.raises(CommandError, match="--base-arn"):
        run("cells", "policy", "trust", "prod-eu")


def test_an_unknown_cell_is_named_as_such() -> None:
    with pytest.raises(CommandError, match="no such cell"):
        run("cells", "policy", "provisioner", "nowhere")


def test_preparing_without_waiting_starts_one_operation() -> None:
    registered()
    run("cells", "prepare", "prod-eu", "--reason", "first tenants", "--no-wait")
    operation = Operation.objects.get()
    assert (operation.kind, operation.state) == ("prepare_cell", "pending")
    with pytest.raises(CommandError, match="under way"):
        run("cells", "prepare", "prod-eu", "--reason", "again", "--no-wait")


def test_watching_gives_up_in_time_and_says_where_it_stands() -> None:
    registered()
    with pytest.raises(CommandError, match="pending: it has not ended yet"):
        run("cells", "prepare", "prod-eu", "--reason", "first tenants", "--timeout", "0")


def test_watching_ends_with_the_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is at it between two looks; here the look itself lets it work."""
    from controlplane.management.commands import cells
    from provisioning import engine
    from tests.controlplane.console.pretend import pretended_aws

    registered()
    monkeypatch.setattr(cells.time, "sleep", lambda _: engine.run(Operation.objects.get(kind="prepare_cell").pk))
    with pretended_aws(monkeypatch):
        out = run("cells", "prepare", "prod-eu", "--reason", "first tenants")
    assert "is ready" in out
    assert Cell.objects.get().state == "ready"
    assert "prod-eu" in run("cells", "list")


def test_a_failed_preparation_ends_with_the_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from controlplane.management.commands import cells

    registered()

    def fail(_: float) -> None:
        Operation.objects.update(state="failed", error_code="AccessDenied", error_detail="iam CreatePolicy: denied")

    monkeypatch.setattr(cells.time, "sleep", fail)
    with pytest.raises(CommandError, match="failed: AccessDenied: iam CreatePolicy: denied"):
        run("cells", "prepare", "prod-eu", "--reason", "first tenants")


def test_seeding_tiers_twice_leaves_what_operators_made_of_them() -> None:
    assert "sovereign" in run("tiers", "seed")
    Tier.objects.filter(pk="basic").update(name="Starter")
    assert "Starter" in run("tiers", "seed")
    assert "Starter" in run("tiers", "list")
    assert Tier.objects.count() == 4

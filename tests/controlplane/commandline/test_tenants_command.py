"""``manage.py tenants``: a file in, tenants out, and what became of every row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from core.audit.models import AuditEvent
from provisioning import engine
from provisioning.models import Operation
from tenants.models import Tenant
from tests.cast import onboarded, ready_cell
from tests.provisioning.fakes import World, make_believe

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_believe(monkeypatch) as world:
        ready_cell()
        yield world


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("tenants", *arguments, stdout=out)
    return out.getvalue()


def customers(folder: Path, *lines: str) -> Path:
    path = folder / "customers.csv"
    path.write_text("slug,name,tier,admin_email\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def results(path: Path) -> list[dict[str, str]]:
    with path.with_name(f"{path.name}.result.csv").open(encoding="utf-8") as source:
        return list(csv.DictReader(source))


def test_a_file_is_onboarded_row_by_row_and_only_once(world: World, tmp_path: Path) -> None:
    path = customers(
        tmp_path, "acme,Acme,basic,a@acme.example", "www,Web,basic,w@web.example", "globex,Globex,gold,g@globex.example"
    )
    with pytest.raises(CommandError, match="Not every row"):
        run("onboard", str(path), "--no-wait")
    for operation in Operation.objects.all():
        engine.run(operation.pk)
    with pytest.raises(CommandError, match="Not every row"):
        run("onboard", str(path), "--timeout", "5")
    assert [(row["line"], row["slug"], row["outcome"], row["column"]) for row in results(path)] == [
        ("2", "acme", "onboarded", ""),
        ("3", "www", "refused", "slug"),
        ("4", "globex", "refused", "tier"),
    ]
    assert Tenant.objects.count() == 1
    assert Operation.objects.count() == 1


def test_a_mended_row_comes_in_at_the_next_run(world: World, tmp_path: Path) -> None:
    path = customers(tmp_path, "globex,Globex,gold,g@globex.example")
    with pytest.raises(CommandError):
        run("onboard", str(path), "--no-wait")
    run("onboard", str(customers(tmp_path, "globex,Globex,premium,g@globex.example")), "--no-wait")
    assert results(path)[0]["outcome"] == "pending"
    assert Tenant.objects.get().tier_id == "premium"


def test_a_row_that_was_changed_after_it_was_accepted_is_refused(world: World, tmp_path: Path) -> None:
    run("onboard", str(customers(tmp_path, "globex,Globex,premium,g@globex.example")), "--no-wait")
    path = customers(tmp_path, "globex,Globex,basic,g@globex.example")
    with pytest.raises(CommandError):
        run("onboard", str(path), "--no-wait")
    assert "other content" in results(path)[0]["reason"]


def test_what_a_customer_typed_is_never_a_formula_in_the_results(world: World, tmp_path: Path) -> None:
    path = customers(tmp_path, '"=1+1",Acme,basic,a@acme.example')
    with pytest.raises(CommandError):
        run("onboard", str(path), "--no-wait")
    assert results(path)[0]["slug"] == "'=1+1"


def test_acts_are_carried_out_with_a_reason_and_audited(world: World) -> None:
    tenant = onboarded("acme")
    assert "suspend: operation op_" in run("suspend", "acme", "--reason", "unpaid")
    tenant.refresh_from_db()
    assert tenant.state == "suspended"
    event = AuditEvent.objects.get(action="tenant.suspended")
    assert (event.actor_kind, event.reason) == ("operator", "unpaid")


@pytest.mark.parametrize(
    "arguments",
    [
        ("suspend", "nobody", "--reason", "x"),
        ("resume", "acme", "--reason", "x"),
        ("change-tier", "acme", "--tier", "gold", "--reason", "x"),
        ("offboard", "acme", "--grace-days", "1000", "--reason", "x"),
        ("suspend", "acme", "--reason", " "),
        ("retry", "op_nothing", "--reason", "x"),
        ("show", "nobody"),
    ],
)
def test_refusals_end_in_words_and_not_in_a_traceback(world: World, arguments: tuple[str, ...]) -> None:
    onboarded("acme")
    with pytest.raises(CommandError):
        run(*arguments)
    assert Tenant.objects.get().state == "active"


def test_list_show_and_drift(world: World) -> None:
    onboarded("acme", name="Acme [bold]& Co[/bold]")
    assert "Acme [bold]& Co[/bold]" in run("list", "--state", "active")
    shown = run("show", "acme")
    assert "onboard: succeeded 3/3" in shown
    assert "read back as promised" in run("drift", "acme")
    world.things.clear()
    with pytest.raises(CommandError, match="3 resources"):
        run("drift", "acme")
    assert set(Tenant.objects.get().resources.values_list("state", flat=True)) == {"drifted"}


def test_a_first_administrator_is_invited_again_and_shown(world: World) -> None:
    onboarded("acme")
    assert "administrator admin@acme.example: invitation open, last sent 20" in run("show", "acme")
    said = run("invite-again", "acme", "--reason", "never came")
    assert said.startswith("A fresh invitation to admin@acme.example is on its way, good until 20")
    assert "invitation sending, last sent never, ends 20" in run("show", "acme")
    event = AuditEvent.objects.get(action="member.invited_again")
    assert (event.actor_kind, event.reason) == ("operator", "never came")
    with pytest.raises(CommandError, match="Wait a minute"):
        run("invite-again", "acme", "--reason", "again")

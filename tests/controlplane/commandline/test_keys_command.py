"""``manage.py keys`` with the real services and the stand-in's Secrets Manager: one key, all keys, a break half-way, a file from elsewhere."""

from __future__ import annotations

import csv
import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from controlplane.commandline import key_lookup, key_rotation
from core.audit.models import AuditEvent
from core.outbox.models import OutboxEvent
from tenants.keys import rotation, services, store
from tenants.keys.making import IssuedKey
from tenants.keys.models import ApiKey, KeyVersion
from tenants.keys.verification import Code, verify
from tenants.models import Cell, Tenant
from tests.tenants.keys.world import OLGA, StoreEyes, keyed_cell, new_tenant

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing
    from tests.services import StandIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cell(footing: Footing, standin: StandIn, transactional_db: None) -> Cell:
    return keyed_cell(footing, standin)


@pytest.fixture
def acme(cell: Cell) -> Tenant:
    return new_tenant(cell, "acme")


@pytest.fixture
def globex(cell: Cell) -> Tenant:
    return new_tenant(cell, "globex")


@pytest.fixture
def eyes(standin: StandIn) -> StoreEyes:
    return StoreEyes(standin.endpoint_url)


def issue(tenant: Tenant, name: str = "ingest") -> IssuedKey:
    return services.issue_key(actor=OLGA, tenant_id=tenant.pk, name=name, scopes=["events:write"])


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("keys", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> tuple[str, str]:
    """What a command prints before it fails, and its last words."""
    out = io.StringIO()
    with pytest.raises(CommandError) as error:
        call_command("keys", *arguments, stdout=out)
    return out.getvalue(), str(error.value)


def numbers() -> dict[str, int]:
    """The current version of every key, by the key's name."""
    return dict(KeyVersion.objects.filter(stage="current").values_list("key__name", "number"))


def test_list_and_show_find_a_key_and_print_no_text(acme: Tenant, globex: Tenant) -> None:
    mine, theirs = issue(acme, "ingest [bold]a[/bold]"), issue(globex, "theirs")
    everything = run("list")
    assert "ingest [bold]a[/bold]" in everything
    assert "theirs" in everything
    assert "theirs" not in run("list", "--tenant", "acme")
    assert "ingest" not in run("list", "--state", "disabled")
    prefix = f"cpk_live_{mine.key.public_id}_"
    for asked in (mine.key.pk, mine.key.public_id, prefix, prefix.rstrip("_"), mine.text):
        shown = run("show", asked)
        assert f"({mine.key.pk}): active, of Acme (acme)" in shown
        assert f"{prefix}…{mine.text[-4:]}" in shown
    for printed in (everything, shown):
        assert mine.text.removeprefix(prefix) not in printed
        assert theirs.text[-39:] not in printed


def test_one_key_is_rotated_and_its_text_named_not_printed(acme: Tenant, eyes: StoreEyes) -> None:
    issued = issue(acme)
    out = run("rotate", issued.key.pk, "--reason", "left", "--overlap-seconds", "600", "--retire-when-quiet")
    assert "version 2, store settled" in out
    assert f"/keys/{issued.key.pk}" in out
    text = eyes.text(issued.key)
    assert verify(text).code is verify(issued.text).code is Code.VALID
    assert text[-39:] not in out
    previous = KeyVersion.objects.get(stage="previous")
    assert (previous.overlap_seconds, previous.retire_when_quiet) == (600, True)
    event = AuditEvent.objects.get(action="key.rotated")
    assert (event.actor_kind, event.actor_label, event.reason) == ("operator", "command line", "left")


def test_the_other_acts(acme: Tenant, eyes: StoreEyes) -> None:
    issued = issue(acme)
    assert "disabled" in run("disable", issued.key.pk, "--reason", "held")
    assert verify(issued.text).code is Code.DISABLED
    assert "active" in run("enable", issued.key.pk, "--reason", "fine")
    run("rotate", issued.key.pk, "--reason", "r")
    run("retire-previous", issued.key.public_id, "--reason", "moved")
    assert verify(issued.text).code is Code.EXPIRED
    assert "revoked, store settled" in run("revoke", issued.key.pk, "--reason", "over")
    assert eyes.stages(issued.key) == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "key_nothing"),
        ("rotate", "key_" + "0" * 26, "--reason", "x"),
        ("rotate", "--tenant", "nobody", "--reason", "x"),
        ("rotate", "--reason", "x"),
        ("rotate", "--all", "--tenant", "acme", "--reason", "x"),
        ("rotate", "--all"),
        ("rotate", "--all", "--reason", " "),
        ("rotate", "--all", "--reason", "x", "--overlap-seconds", "-1"),
        ("rotate", "--all", "--reason", "x", "--since", "yesterday"),
        ("rotate", "--all", "--reason", "x", "--since", "2026-02-31T00:00:00Z"),
        ("revoke", "nothing", "--reason", "x"),
        ("retire-previous", "KEY", "--reason", "x"),
        ("revoke", "KEY"),
        ("revoke", "KEY", "--reason", "  "),
        ("list", "--state", "lost"),
        ("import", "/nowhere.csv", "--tenant", "acme"),
    ],
)
def test_refusals_end_in_words_and_change_nothing(acme: Tenant, arguments: tuple[str, ...]) -> None:
    issued = issue(acme)
    refused(*(issued.key.pk if argument == "KEY" else argument for argument in arguments))
    assert verify(issued.text).code is Code.VALID
    assert numbers() == {"ingest": 1}


def test_all_keys_that_can_be_are_rotated(cell: Cell, acme: Tenant, globex: Tenant) -> None:
    for tenant, name in ((acme, "a1"), (acme, "a2"), (acme, "a3"), (globex, "g1"), (globex, "g2")):
        issue(tenant, name)
    run("disable", ApiKey.objects.get(name="a3").pk, "--reason", "held")
    out = run("rotate", "--tenant", "acme", "--reason", "quarterly")
    assert "2 rotated; 0 failed; 1 left out" in out
    assert numbers() == {"a1": 2, "a2": 2, "a3": 1, "g1": 1, "g2": 1}
    Tenant.objects.filter(pk=globex.pk).update(state="suspended")
    out, words = refused("rotate", "--all", "--reason", "again")
    assert "0 rotated; 2 failed; 3 left out" in out
    assert out.count("rotation-open: The previous version still works until") == 2
    assert words.startswith("2 keys were not rotated.")
    assert "2 rotated; 0 failed" in run("rotate", "--all", "--reason", "again", "--end-previous")


def test_a_rotation_that_broke_off_goes_on_where_it_was(acme: Tenant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("k1", "k2", "k3"):
        issue(acme, name)
    real, calls = rotation.rotate_key, 0

    def breaking(**given: Any) -> IssuedKey:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return real(**given)

    with monkeypatch.context() as patched:
        patched.setattr(rotation, "rotate_key", breaking)
        out, words = refused("rotate", "--all", "--reason", "leak drill", "--results", str(tmp_path / "r.csv"))
    assert "1 rotated; 0 failed" in out
    assert words.startswith("2 keys were not rotated. To go on with them: the same command with --since 20")
    assert numbers() == {"k1": 2, "k2": 1, "k3": 1}
    since = words.rpartition("--since ")[2]
    KeyVersion.objects.filter(number=1).update(issued_at=timezone.now() - timedelta(days=9))
    assert "2 rotated; 0 failed; 1 skipped: rotated since" in run("rotate", "--all", "--reason", "leak drill", "--since", since)
    assert numbers() == {"k1": 2, "k2": 2, "k3": 2}
    with (tmp_path / "r.csv").open(encoding="utf-8") as source:
        assert [(row["name"], row["outcome"], row["version"]) for row in csv.DictReader(source)] == [("k1", "rotated", "2")]


def test_one_that_fails_does_not_stop_the_others_and_a_busy_store_is_asked_again(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("k1", "k2", "k3"):
        issue(acme, name)
    real = store.put_pending
    fails = {"k1": 1, "k2": 99}

    def shaky(place: Any, version: KeyVersion, text: str) -> Any:
        name = version.key.name
        if fails.get(name, 0) > 0:
            fails[name] -= 1
            raise store.KeyStoreError("The key store did not confirm the key.")
        return real(place, version, text)

    monkeypatch.setattr(store, "put_pending", shaky)
    paused: list[float] = []
    how = key_rotation.How(OLGA, "drill", pause=paused.append)
    outcomes, finished = key_rotation.rotate_all(key_lookup.to_rotate().key_ids, how)
    assert finished
    assert [(o.name, o.outcome, o.code) for o in outcomes] == [
        ("k1", "rotated", ""),
        ("k2", "failed", "key-store-unavailable"),
        ("k3", "rotated", ""),
    ]
    assert paused == [1.0, 1.0, 4.0]
    assert numbers() == {"k1": 3, "k2": 1, "k3": 2}


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_file_from_elsewhere_is_imported_row_by_row_and_only_once(acme: Tenant, globex: Tenant, tmp_path: Path) -> None:
    path = tmp_path / "keys.csv"
    rows = [
        f"one,{hashed('sk_one_0123456789')},6789,events:read events:write,10.0.0.0/8,2099-01-01T00:00:00Z,30",
        f"two,{hashed('sk_two_0123456789').upper()},,,,,",
        "short,abc,,,,,",
        f"scope,{hashed('sk_3')},,nonsense:do,,,",
        f"cidr,{hashed('sk_4')},,,10.0.0.0/33,,",
        f"past,{hashed('sk_5')},,,,2001-01-01T00:00:00Z,",
        f"zone,{hashed('sk_6')},,,,2099-01-01T00:00:00,",
        f"days,{hashed('sk_7')},,,,,often",
        f"again,{hashed('sk_one_0123456789')},,,,,",
        f",{hashed('sk_8')},,,,,",
    ]
    path.write_text("name,sha256,last_four,scopes,cidrs,expires_at,rotate_every_days\n" + "\n".join(rows) + "\n", encoding="utf-8")
    out, words = refused("import", str(path), "--tenant", "acme")
    assert words == "Not every row was imported."
    assert "2 imported, 8 refused" in out
    with (tmp_path / "keys.csv.result.csv").open(encoding="utf-8") as source:
        found = [(row["line"], row["outcome"], row["column"]) for row in csv.DictReader(source)]
    columns = ["sha256", "scopes", "cidrs", "expires_at", "expires_at", "rotate_every_days", "sha256", "name"]
    assert found == [
        ("2", "imported", ""),
        ("3", "imported", ""),
        *((str(n), "refused", c) for n, c in enumerate(columns, start=4)),
    ]
    assert verify("sk_one_0123456789", scopes=["events:read"], address="10.1.2.3").code is Code.VALID
    assert verify("sk_two_0123456789").code is Code.VALID
    key = ApiKey.objects.get(name="one")
    assert (key.tenant_id, key.rotate_every_days, key.versions.get().last_four) == (acme.pk, 30, "6789")

    path.write_text("name,sha256\n" + f"one,{hashed('sk_one_0123456789')}\n", encoding="utf-8")
    assert "1 known" in run("import", str(path), "--tenant", "acme")
    out, _ = refused("import", str(path), "--tenant", "globex")
    assert "column sha256: refused: This hash has been imported before." in out
    assert ApiKey.objects.count() == 2
    assert hashed("sk_one_0123456789") not in out


@pytest.mark.parametrize("content", ["", "name\none\n", "name,sha256,secret\none,a,b\n", "\xff\xfe"])
def test_a_file_of_another_kind_is_refused_whole(acme: Tenant, tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.csv"
    path.write_text(content, encoding="latin-1")
    _, words = refused("import", str(path), "--tenant", "acme")
    assert "Known are: name, sha256" in words


def test_peppers_say_which_may_go_and_which_is_missing(acme: Tenant, settings: Any) -> None:
    settings.KEY_PEPPERS = {1: b"one" * 11, 2: b"two" * 11}
    issue(acme)
    out = run("peppers")
    assert "can be dropped from KEY_PEPPERS" in out
    assert "new versions are digested under it" in out
    KeyVersion.objects.update(pepper_id=7)
    out, words = refused("peppers")
    assert "missing from the settings: these versions are refused" in out
    assert "KEY_PEPPERS lacks 7" in words


def test_no_command_leaves_a_text_anywhere(acme: Tenant, eyes: StoreEyes, caplog: pytest.LogCaptureFixture) -> None:
    issued = issue(acme)
    out = run("rotate", "--all", "--reason", "drill") + run("show", issued.key.pk) + run("list")
    written = out + caplog.text + "".join(f"{event.details}" for event in AuditEvent.objects.all())
    written += "".join(f"{event.data}" for event in OutboxEvent.objects.all())
    for text in (issued.text, eyes.text(issued.key)):
        assert text.removeprefix(f"cpk_live_{issued.key.public_id}_") not in written

"""The demo's chapter on keys: a program that keeps calling while its key is rotated, retired by evidence, revoked, and found in public."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection

from controlplane.embedded.demo.stage import Stage
from core.actors import operator
from core.aws.errors import AwsAccessDeniedError
from core.aws.session import Aws
from tenants.keys import evidence, leaks, rotation, services, tending
from tenants.keys.codes import Code
from tenants.keys.making import IssuedKey
from tenants.keys.models import ApiKey, KeyState, StoreState
from tenants.keys.scanners import Finding
from tenants.keys.verification import verify
from tenants.models import Tier
from tenants.naming import key_secret
from tenants.selectors import facts_of, get_tenant

ACTOR = operator("demo", "the demo")
PAUSE_SECONDS = 0.02
QUIET_SECONDS = 2


@dataclass
class Program:
    """A tenant's program: it reads its key from Secrets Manager with its own credentials when it is refused, as ``docs/keys.md`` advises."""

    aws: Aws
    secret: str
    follows: bool
    text: str = field(default="", repr=False)
    answers: Counter[Code] = field(default_factory=Counter)

    def fetch(self) -> None:
        """Read the current text from the store."""
        self.text = self.aws.secretsmanager.get_value(self.secret).value

    def call(self) -> None:
        """Show the key once; a program that follows reads the store first."""
        if self.follows:
            self.fetch()
        verdict = verify(self.text, scopes=["events:write"])
        self.answers[verdict.code] += 1
        if verdict.is_valid and verdict.version is not None:
            evidence.note_use(verdict.version)


def tell(stage: Stage, as_tenant: Callable[[str], Aws]) -> None:
    """Issue, use, rotate while programs call, retire by evidence, revoke, leak."""
    stage.chapter("7. Globex gets keys")
    tenant = get_tenant("globex")
    aws, facts = as_tenant("globex"), facts_of(tenant)
    issued = services.issue_key(actor=ACTOR, tenant_id=tenant.pk, name="ingest", scopes=["events:write"], reason="the demo")
    secret = key_secret(facts, issued.key.pk)
    stage.promise("a fresh key verifies", verify(issued.text, scopes=["events:write"]).is_valid, vital=True)
    stage.promise(
        "and not for what it was not given", verify(issued.text, scopes=["jobs:write"]).code is Code.INSUFFICIENT_PERMISSIONS
    )
    stage.promise("Globex's own workload reads it from the store", aws.secretsmanager.get_value(secret).value == issued.text)
    stage.promise("Acme's workload is refused there", _is_refused(lambda: as_tenant("acme").secretsmanager.get_value(secret)))
    second = _rotate_under_load(stage, aws, secret, issued)
    _retire_by_evidence(stage, issued, second)
    _end(stage, second)


def lost(stage: Stage) -> None:
    """After AWS lost everything, keys are known to be lost, still verify, and come back with a rotation."""
    tenant = get_tenant("globex")
    stage.say("Globex's keys, which nobody but the lost store knew:")
    key = tenant.keys.filter(state=KeyState.ACTIVE).order_by("-pk")[0]
    stage.wait("reading back", lambda: int(_store_state(key.pk) == StoreState.LOST), 1)
    stage.promise("the loss of a key's text is seen and said", _store_state(key.pk) == StoreState.LOST)
    fresh = rotation.rotate_key(actor=ACTOR, tenant_id=tenant.pk, key_id=key.pk, reason="its text was lost")
    stage.promise(
        "a rotation puts a new one into the store", verify(fresh.text).is_valid and _store_state(key.pk) == StoreState.SETTLED
    )


def _rotate_under_load(stage: Stage, aws: Aws, secret: str, first: IssuedKey) -> IssuedKey:
    old = Program(aws, secret, follows=False, text=first.text)
    follower = Program(aws, secret, follows=True)
    with _calling(old, follower):
        time.sleep(10 * PAUSE_SECONDS)
        with stage.progress("rotating while two programs call", 1) as show:
            second = rotation.rotate_key(
                actor=ACTOR,
                tenant_id=first.key.tenant_id,
                key_id=first.key.pk,
                overlap=timedelta(hours=1),
                retire_when_quiet=True,
                reason="the demo",
            )
            show(1)
        time.sleep(10 * PAUSE_SECONDS)
    for name, program in (("one with the old key", old), ("one that reads the store", follower)):
        calls = program.answers.total()
        stage.promise(f"not one call was refused: {name}", set(program.answers) == {Code.VALID}, f"{calls} calls")
    stage.promise("the visible start of the key stayed", first.text[:26] == second.text[:26] and first.text != second.text)
    stage.promise("the program that reads the store has the new key", follower.text == second.text)
    return second


def _retire_by_evidence(stage: Stage, first: IssuedKey, second: IssuedKey) -> None:
    tier = Tier.objects.get(tenants=second.key.tenant_id)
    Tier.objects.filter(pk=tier.pk).update(key_quiet_seconds=QUIET_SECONDS)
    time.sleep(QUIET_SECONDS + 0.5)
    tending.end_overlaps()
    Tier.objects.filter(pk=tier.pk).update(key_quiet_seconds=tier.key_quiet_seconds)
    old, new = verify(first.text).code, verify(second.text).code
    stage.promise("the old key went when the new one was used and it was quiet", (old, new) == (Code.EXPIRED, Code.VALID))


def _end(stage: Stage, second: IssuedKey) -> None:
    tenant_id = second.key.tenant_id
    doomed = services.issue_key(actor=ACTOR, tenant_id=tenant_id, name="left behind", reason="the demo")
    services.revoke_key(actor=ACTOR, tenant_id=tenant_id, key_id=doomed.key.pk, reason="its owner left")
    stage.promise("a revoked key is unknown at once", verify(doomed.text).code is Code.NOT_FOUND)
    found = services.issue_key(actor=ACTOR, tenant_id=tenant_id, name="found in public", reason="the demo")
    leaks.take_report(
        actor=leaks.GITHUB, body_digest=hashlib.sha256(found.key.pk.encode()).hexdigest(), findings=[Finding(found.text)]
    )
    stage.promise("a key that was found in public is dead with the report", verify(found.text).code is Code.NOT_FOUND)


@contextmanager
def _calling(*programs: Program) -> Iterator[None]:
    """Let programs call, each in a thread of its own, until the block ends."""
    ending = threading.Event()

    def run(program: Program) -> None:
        try:
            while not ending.is_set():
                program.call()
                time.sleep(PAUSE_SECONDS)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(program,), daemon=True) for program in programs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join(30)


def _store_state(key_id: str) -> str:
    return str(ApiKey.objects.values_list("store_state", flat=True).get(pk=key_id))


def _is_refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except AwsAccessDeniedError:
        return True
    return False

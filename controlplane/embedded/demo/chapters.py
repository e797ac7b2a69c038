"""The chapters of the demo. Each looks with eyes of its own: the ledger, the tenant's credentials, a sign-in, the audit chain."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from django.conf import settings

from controlplane.commandline import onboarding, rows
from controlplane.embedded.demo import edge as edge_story
from controlplane.embedded.demo import keys as key_story
from controlplane.embedded.demo import portal
from controlplane.embedded.demo.stage import Stage
from core.actors import operator
from core.audit.verify import verify
from core.aws.errors import AwsAccessDeniedError, AwsError
from core.aws.session import Aws
from core.aws.signing_in import NEW_PASSWORD_REQUIRED
from provisioning import drift, selectors, services
from provisioning.identity import identity_of, set_first_password
from provisioning.isolation.vending import TenantNotServedError, vend
from provisioning.models import ACTIVE_STATES, Operation, OperationState, Resource, ResourceState
from tenants import clouds
from tenants.lifecycle import TenantState
from tenants.models import Tenant
from tenants.naming import names_of, session_name
from tenants.selectors import facts_of, get_tenant

ACTOR = operator("demo", "the demo")
SAMPLES = Path("samples") / "tenants.csv"
NEW_PASSWORD = "Correct-horse-7-battery"  # noqa: S105  (a made-up person's, in a stand-in that ends with the demo)


def onboard(stage: Stage) -> None:
    """A file of customers goes in; observed tenants come out."""
    stage.chapter("1. Two hundred customers in one file")
    asked = rows.read(settings.BASE_DIR / SAMPLES)
    with stage.progress("asking", len(asked)) as show:
        numbers = itertools.count(1)
        outcomes = onboarding.ask_for(asked, actor=ACTOR, told=lambda: show(next(numbers)))
    stage.wait("onboarding", lambda: _ended([outcome.operation for outcome in outcomes if outcome.operation]), len(asked))
    onboarding.watch(outcomes, timeout_seconds=1)
    good = sum(outcome.outcome == "onboarded" for outcome in outcomes)
    worst = next((f"line {o.line}: {o.outcome} {o.reason}" for o in outcomes if o.outcome != "onboarded"), "")
    stage.promise("every row became a tenant", good == len(asked), worst or f"{good} of {len(asked)}", vital=True)
    states = Counter(Resource.objects.filter(tenant__isnull=False).values_list("state", flat=True))
    stage.promise("every resource was read back as promised", set(states) == {ResourceState.PRESENT}, f"{states.total()} resources")
    again = onboarding.ask_for(asked, actor=ACTOR)
    same = [a.operation for a in again] == [o.operation for o in outcomes]
    stage.promise("the same file again makes nothing twice", same and Tenant.objects.count() == len(asked))


def show_steps(stage: Stage) -> None:
    """One tenant's steps, as the console's timeline has them."""
    stage.chapter("2. What one of them took: Globex, a silo")
    operation = selectors.timeline_of(get_tenant("globex").pk)[0]
    for step in operation.steps.all():
        seconds = (step.finished_at - step.started_at).total_seconds() if step.finished_at and step.started_at else 0.0
        stage.say(f"{step.action:7} {step.kind:15} {step.state:10} {step.aws_calls:3} AWS calls {seconds * 1000:7.0f} ms")
    stage.promise("all its steps succeeded", all(step.state == "succeeded" for step in operation.steps.all()))


def sign_in(stage: Stage) -> None:
    """The administrator of a tenant signs in, by SRP, and must change the password."""
    stage.chapter("3. The administrator of Acme signs in for the first time")
    first = set_first_password(actor=ACTOR, tenant_id=get_tenant("acme").pk, reason="the demo's first sign-in")
    _first_sign_in(stage, "acme", first)
    stage.promise("a wrong password is refused", not _can_sign_in("acme", "Wrong-password-1"))
    other = identity_of(get_tenant("acme-west"))
    aws = _control_plane("acme")
    mine = identity_of(get_tenant("acme"))
    refused = _is_refused(
        lambda: aws.signing_in.start(
            pool_id=other.pool_id, client_id=other.client_id, username=other.username, password=NEW_PASSWORD
        )
    )
    stage.promise("Acme's password opens nothing at Acme West, its neighbour in the same pool", refused and other != mine)


def keep_apart(stage: Stage) -> None:
    """Credentials vended for one tenant reach its own data and nobody else's."""
    stage.chapter("4. Neighbours cannot see each other")
    for slug, neighbour in (
        ("acme", "acme-west"),
        ("acme-west", "acme"),
        ("initech", "acme"),
        ("globex", "initech"),
        ("acme", "globex"),
    ):
        facts, other = facts_of(get_tenant(slug)), facts_of(get_tenant(neighbour))
        aws = _as_tenant(slug)
        mine, theirs = names_of(facts), names_of(other)
        aws.s3.put_object(mine.storage_bucket, f"{mine.storage_prefix}demo.txt", b"mine")
        stage.promise(
            f"{slug} reads what it wrote", aws.s3.get_object(mine.storage_bucket, f"{mine.storage_prefix}demo.txt") == b"mine"
        )
        shut = _is_refused(partial(aws.s3.get_object, theirs.storage_bucket, f"{theirs.storage_prefix}demo.txt"))
        stage.promise(f"{slug} is refused at {neighbour}'s prefix", shut)


def suspend_and_resume(stage: Stage) -> None:
    """A suspension closes the doors; resuming opens them."""
    stage.chapter("5. Acme does not pay, and then it does")
    tenant = get_tenant("acme")
    _finish(stage, services.start_suspend(actor=ACTOR, tenant_id=tenant.pk, reason="unpaid"))
    stage.promise("its people are refused", not _can_sign_in("acme", NEW_PASSWORD))
    try:
        _as_tenant("acme")
        stage.promise("no credentials are given out for it", False)
    except TenantNotServedError:
        stage.promise("no credentials are given out for it", True)
    stage.promise("its neighbour in the same pool does not notice", bool(_as_tenant("acme-west")))
    _finish(stage, services.start_resume(actor=ACTOR, tenant_id=tenant.pk, reason="paid"))
    stage.promise("its people are let in again", _can_sign_in("acme", NEW_PASSWORD))


def move(stage: Stage) -> None:
    """From the pool to a silo: a stack of its own, and the data left where it is."""
    stage.chapter("6. Acme grows out of the pool, into a silo of its own")
    tenant = get_tenant("acme")
    _finish(stage, services.start_change_tier(actor=ACTOR, tenant_id=tenant.pk, tier_code="premium", reason="grown"))
    states = {(row.kind, row.name): row.state for row in selectors.list_resources(tenant_id=tenant.pk)}
    stack = next((state for (kind, _), state in states.items() if kind == "stack"), "missing")
    stage.promise("its stack was read back, resource by resource", stack == ResourceState.PRESENT)
    retained = sorted(f"{kind}" for (kind, _), state in states.items() if state == ResourceState.RETAINED)
    stage.promise(
        "what held its data in the pool is kept until it is offboarded", "storage_prefix" in retained, ", ".join(retained)
    )
    aws, names = _as_tenant("acme"), names_of(facts_of(get_tenant("acme")))
    aws.s3.put_object(names.storage_bucket, f"{names.storage_prefix}demo.txt", b"silo")
    stage.promise(
        "its credentials reach its own bucket",
        aws.s3.get_object(names.storage_bucket, f"{names.storage_prefix}demo.txt") == b"silo",
    )


def keys(stage: Stage) -> None:
    """A tenant's programs get keys, which are rotated under load, retired, revoked and found in public."""
    key_story.tell(stage, _as_tenant)


def flood(stage: Stage) -> None:
    """One tenant floods the admission edge and no neighbour feels it; what ends is refused there within the bound."""
    edge_story.tell(stage)


def people(stage: Stage) -> None:
    """A tenant's people come in by the portal's own pages, and see what their role may see."""
    portal.tell(stage)


def offboard(stage: Stage) -> None:
    """A tenant leaves; everything it had is gone, and read back as gone."""
    stage.chapter("10. Initech leaves")
    tenant = get_tenant("initech")
    _finish(stage, services.start_offboard(actor=ACTOR, tenant_id=tenant.pk, reason="contract ended", grace=timedelta(0)))
    stage.say("the grace is over (it is 0 for the demo): the clock starts the removal")
    services.start_deprovision(actor=ACTOR, tenant_id=tenant.pk, reason="the grace has run out")
    _finish(stage, Operation.objects.filter(tenant=tenant).order_by("-pk")[0])
    tenant.refresh_from_db()
    left = [str(row) for row in selectors.list_resources(tenant_id=tenant.pk)]
    stage.promise("nothing of it is left", tenant.state == TenantState.CLOSED and not left, ", ".join(left))


def recovered(stage: Stage) -> None:
    """After AWS lost everything: the ledger knew, and it is there again."""
    stage.chapter("12. Is everything there again?")
    living = list(Tenant.objects.select_related("tier", "cell").filter(state__in=(TenantState.ACTIVE, TenantState.SUSPENDED)))
    drifted: list[str] = []
    with stage.progress("reading back", len(living)) as show:
        for number, tenant in enumerate(living, start=1):
            drifted += [
                f"{tenant.slug}: {found.kind}: {'; '.join(found.differences)}"
                for found in drift.observe_tenant(tenant, actor=ACTOR)
            ]
            show(number)
    stage.promise("every tenant was read back as promised", not drifted, ", ".join(drifted[:3]) or f"{len(living)} tenants")
    first = set_first_password(actor=ACTOR, tenant_id=get_tenant("acme").pk, reason="the pool was made anew")
    _first_sign_in(stage, "acme", first)
    key_story.lost(stage)


def audit(stage: Stage) -> None:
    """Every act is in the chain, and the chain is whole."""
    stage.chapter("13. Who did what?")
    verdict = verify()
    stage.promise("the audit chain is whole", verdict.ok, str(verdict.fault or f"{verdict.checked} entries"))


BEFORE_THE_LOSS: tuple[Callable[[Stage], None], ...] = (
    onboard,
    show_steps,
    sign_in,
    keep_apart,
    suspend_and_resume,
    move,
    keys,
    people,
    flood,
    offboard,
)
AFTER_THE_LOSS: tuple[Callable[[Stage], None], ...] = (recovered, audit)
STORY = {"before": BEFORE_THE_LOSS, "after": AFTER_THE_LOSS}


def _ended(operations: list[str]) -> int:
    return len(operations) - Operation.objects.filter(pk__in=operations, state__in=ACTIVE_STATES).count()


def _finish(stage: Stage, operation: Operation) -> None:
    stage.wait(operation.get_kind_display(), lambda: _ended([operation.pk]), 1)
    operation.refresh_from_db()
    found = f"{operation.error_code} {operation.error_detail}".strip()
    stage.promise(f"{operation.get_kind_display()} succeeded", operation.state == OperationState.SUCCEEDED, found, vital=True)


def _control_plane(slug: str) -> Aws:
    facts = facts_of(get_tenant(slug))
    return clouds.connect_to(facts.cell, session_name=session_name(facts.id, ACTOR))


def _as_tenant(slug: str) -> Aws:
    aws = _control_plane(slug)
    given = vend(aws, facts_of(get_tenant(slug)), ACTOR)
    return aws.with_credentials(given.access_key, given.secret_key, given.token)


def _first_sign_in(stage: Stage, slug: str, first: str) -> None:
    aws, identity = _control_plane(slug), identity_of(get_tenant(slug))
    signed = aws.signing_in.start(
        pool_id=identity.pool_id, client_id=identity.client_id, username=identity.username, password=first
    )
    stage.promise("the first password must be changed", signed.challenge == NEW_PASSWORD_REQUIRED, vital=True)
    done = aws.signing_in.change_password(
        client_id=identity.client_id, username=identity.username, session=signed.session, new_password=NEW_PASSWORD
    )
    stage.promise("with a password of its own the administrator is in", done.is_complete)


def _can_sign_in(slug: str, password: str) -> bool:
    aws, identity = _control_plane(slug), identity_of(get_tenant(slug))
    try:
        return aws.signing_in.start(
            pool_id=identity.pool_id, client_id=identity.client_id, username=identity.username, password=password
        ).is_complete
    except AwsError:
        return False


def _is_refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except AwsAccessDeniedError:
        return True
    return False

"""What is written down of an act on a member, and what has to follow it. Call these inside the transaction of the act."""

from __future__ import annotations

from functools import partial

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from core.actors import Actor
from core.audit.services import record
from core.outbox import doorbell
from core.outbox.services import publish
from tenants.members.models import DirectoryState, Member

SETTLE_TASK = "provisioning.tasks.settle_people"
MAIL_TASK = "tenants.members.tasks.mail"
EXPIRES_SECONDS = 60


def tell(member: Member, what: str, actor: Actor, reason: str = "", **details: object) -> None:
    """Write the audit entry and the event of something that happened to a member. The address stays out of both: rows may be erased, these not."""
    about = {"role": member.role, **details}
    record(action=what, actor=actor, target=member.pk, tenant_id=member.tenant_id, reason=reason, details=about)
    publish(
        type=what,
        subject=member.pk,
        tenant_id=member.tenant_id,
        data={"member": member.pk, "tenant": member.tenant_id, **about},
    )


def unsettle(member: Member) -> None:
    """Say that the user pool must follow a change of this member, and ring when the change has committed."""
    Member.objects.filter(pk=member.pk).update(
        directory_state=DirectoryState.UNSETTLED,
        directory_generation=F("directory_generation") + 1,
        directory_due_at=timezone.now(),
        directory_failures=0,
        directory_error="",
    )
    ring(SETTLE_TASK)


def ring(task: str) -> None:
    """Tell a worker after the commit that there is something to do; losing it loses nothing."""
    transaction.on_commit(partial(doorbell.send, task, expires=EXPIRES_SECONDS), robust=True)

"""What operators can do to a tenant, an operation or a cell: names, words, and which service carries it out.

A page offers an act only when the selectors below call it lawful; the service checks again. The sentences say what happens now, what
happens later, and what does not happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from controlplane.console import words
from provisioning import selectors, services
from provisioning.models import Operation, OperationKind
from tenants.lifecycle import TenantState
from tenants.members.invitations import invitation_of
from tenants.members.models import Member
from tenants.members.selectors import find_first
from tenants.models import Cell, CellState, Tenant


@dataclass(frozen=True, slots=True)
class Act:
    """One act. ``tone`` is *primary*, *plain* or *danger*; ``needs_fresh_code`` asks for a TOTP code younger than ten minutes."""

    name: str
    title: str
    icon: str
    tone: str = "plain"
    needs_fresh_code: bool = False
    example: str = ""


SUSPEND = Act("suspend", "Suspend", "pause_circle", example="Invoice 2291 is 60 days overdue; agreed with finance")
RESUME = Act("resume", "Resume", "play_circle", "primary", example="Invoice 2291 was paid today")
CHANGE_TIER = Act("change_tier", "Change tier", "swap_vert", example="Contract CT-118 upgrades to premium from 1 December")
REPAIR = Act("repair", "Repair", "build_circle", example="Drift report of this morning names the secret")
OFFBOARD = Act(
    "offboard", "Offboard", "delete_forever", "danger", needs_fresh_code=True, example="Contract ends on 30 November, ticket 4711"
)
UNDO_OFFBOARD = Act("undo_offboard", "Undo offboarding", "undo", "primary", example="The customer has renewed after all")
FIRST_PASSWORD = Act(
    "first_password", "Set first password", "key", example="The invitation was never received; caller verified by phone"
)
INVITE_AGAIN = Act(
    "invite_again",
    "Send the invitation again",
    "forward_to_inbox",
    example="The first one went into their spam folder, ticket 4802",
)
RETRY = Act("retry", "Retry", "refresh", "primary", example="The quota was raised, AWS case 171932")
ABANDON = Act("abandon", "Abandon", "cancel", "danger", needs_fresh_code=True, example="The customer withdrew before going live")
PREPARE = Act("prepare", "Prepare", "foundation", "primary", example="New region for the autumn rollout")
RETIRE = Act("retire", "Retire", "archive", "danger", example="Replaced by standard from 2027")

TENANT_ACTS = {
    act.name: act for act in (RESUME, UNDO_OFFBOARD, SUSPEND, CHANGE_TIER, REPAIR, INVITE_AGAIN, FIRST_PASSWORD, OFFBOARD)
}
OPERATION_ACTS = {act.name: act for act in (RETRY, ABANDON)}
CELL_ACTS = {act.name: act for act in (PREPARE, REPAIR)}


def of_tenant(tenant: Tenant, first: Member | None = None) -> tuple[Act, ...]:
    """Give the acts that are lawful for a tenant now, in the order in which a page shows them.

    ``first`` is its first administrator where the caller has read them already.
    """
    lawful = set(selectors.actions_of(tenant))
    if tenant.state == TenantState.ACTIVE:
        lawful.add(FIRST_PASSWORD.name)
        first = first or find_first(tenant.pk)
        if first is not None and invitation_of(first).is_pending:
            lawful.add(INVITE_AGAIN.name)
    return tuple(act for name, act in TENANT_ACTS.items() if name in lawful)


def why_not(act: Act, tenant: Tenant) -> str:
    """Say why an act on a tenant is not lawful now, as the end of a sentence."""
    if act is INVITE_AGAIN and tenant.state == TenantState.ACTIVE:
        return f"the first administrator of {tenant.name} has joined already, or was removed"
    return f"{tenant.name} is {tenant.state}"


def of_operation(operation: Operation) -> tuple[Act, ...]:
    """Give the acts that are lawful for an operation now."""
    return tuple(OPERATION_ACTS[name] for name in selectors.operation_actions_of(operation) if name in OPERATION_ACTS)


def of_cell(cell: Cell) -> tuple[Act, ...]:
    """Give the acts that are lawful for a cell now."""
    return (PREPARE,) if cell.state in (CellState.REGISTERED, CellState.PREPARING) else (REPAIR,)


def on_tenant(name: str) -> Callable[..., Any]:
    """Give the service that carries out an act on a tenant."""
    known: dict[str, Callable[..., Any]] = {
        "suspend": services.start_suspend,
        "resume": services.start_resume,
        "change_tier": services.start_change_tier,
        "repair": services.start_repair,
        "offboard": services.start_offboard,
        "undo_offboard": services.start_undo_offboard,
    }
    return known[name]


def sentences_for_tenant(act: Act, tenant: Tenant) -> tuple[str, ...]:
    """Say what an act on a tenant does, in the order in which it happens."""
    name = tenant.name
    grace = words.lasted(timedelta(seconds=tenant.tier.offboarding_grace_seconds))
    texts = {
        SUSPEND: (
            f"From the moment you confirm, {name} counts as suspended and its requests are refused.",
            "Then its people can no longer sign in and its role hands out no more credentials: those are the steps below.",
            "Nothing is deleted. An operation that is under way for it is set aside.",
        ),
        RESUME: (
            f"{name} gets back what an active tenant has. It counts as active when all of it was read back as promised, not before.",
        ),
        CHANGE_TIER: (
            f"{name} leaves {tenant.tier.name} ({tenant.tier.isolation_model}) for the tier that you choose.",
            "What it lacks there is made first; what it no longer needs is removed after that.",
            "Data is not moved. What holds data in the old place is kept, and goes only with an offboarding.",
        ),
        REPAIR: (
            f"Everything that {name} should have is read back from AWS. What is missing is made, what differs is corrected.",
            "Nothing that is as promised is touched.",
        ),
        OFFBOARD: (
            f"From the moment you confirm, {name} is closed: its requests are refused and its people can no longer sign in.",
            f"After the grace (its tier gives {grace}) everything it has is removed, data included. That cannot be undone.",
            "Until then “Undo offboarding” brings it back as it was.",
            f"The short name {tenant.slug} is never given out again.",
        ),
        UNDO_OFFBOARD: (
            f"{name} becomes {tenant.resume_state or 'active'} again, as it was before its offboarding. Nothing was removed yet.",
        ),
        INVITE_AGAIN: (
            f"{tenant.admin_email} gets a mail with a fresh link, good once and for seven days, to choose a password and come in.",
            "A link that was mailed before is good no longer. A temporary password that was given before works until its own end.",
            "Whichever is used first ends the other. In AWS nothing changes before that.",
        ),
        FIRST_PASSWORD: (
            f"{tenant.admin_email} gets a temporary password, which the next page shows once. It is stored nowhere.",
            "A temporary password given earlier stops working. The first sign-in asks for a new one.",
            "Hand it over on a way of its own, after you have made sure who asks.",
        ),
    }
    return texts[act]


def sentences_for_operation(act: Act, operation: Operation) -> tuple[str, ...]:
    """Say what an act on a failed operation does."""
    what = words.operation_of(operation.kind).lower()
    if act is RETRY:
        return ("The operation is planned anew from the ledger and goes on with what is left. What is done already stays done.",)
    if operation.kind == OperationKind.ONBOARD:
        return (
            "The onboarding is given up. Everything that it made is removed, and the tenant is closed for good.",
            "Its short name is never given out again. To try another time, retry instead.",
        )
    if operation.kind == OperationKind.CHANGE_TIER:
        return (
            f"The change of tier is given up. The tenant goes back to {operation.target.get('from', 'the tier before')}.",
            "What the old tier needs is read back and corrected; what was made for the new one is removed, unless it holds data.",
        )
    return (f"The operation ({what}) is given up. Everything is read back, and brought to what the present state asks for.",)


def sentences_for_cell(act: Act, cell: Cell) -> tuple[str, ...]:
    """Say what an act on a cell does."""
    if act is PREPARE:
        return (
            f"What the tenants of {cell.code} share is made in account {cell.account_id}, {cell.region}.",
            "The cell takes tenants when all of it was read back as promised.",
        )
    return (
        f"What the tenants of {cell.code} share is read back. What is missing is made, what differs is corrected. Tenants keep working.",
    )


def removal_due(tenant: Tenant, grace: timedelta | None = None) -> Any:
    """Give the time at which an offboarding that began now would remove everything."""
    return timezone.now() + (timedelta(seconds=tenant.tier.offboarding_grace_seconds) if grace is None else grace)

"""What a tenant has decided about its keys: what is done with one that is found in public."""

from __future__ import annotations

from django.db import transaction

from core.actors import Actor
from core.audit.services import record
from tenants.inputs import InvalidFieldError, clean_optional_reason
from tenants.keys.models import KeyPolicy, LeakAction
from tenants.keys.services import StaleKeyError
from tenants.selectors import get_tenant


def set_leak_action(*, actor: Actor, tenant_id: str, action: str, revision: int | None = None, reason: str = "") -> KeyPolicy:
    """Decide what is done with this tenant's keys that are found in public; raises InvalidInputError, StaleKeyError."""
    if action not in LeakAction.values:
        raise InvalidFieldError.at("/leak_action", f"This is {' or '.join(LeakAction.values)}.")
    tenant, reason = get_tenant(tenant_id), clean_optional_reason(reason)
    with transaction.atomic():
        policy, _ = KeyPolicy.objects.select_for_update().get_or_create(tenant=tenant)
        if revision is not None and policy.revision != revision:
            raise StaleKeyError("The policy was changed by somebody else meanwhile.")
        before = policy.leak_action
        if before != action:
            policy.leak_action, policy.revision = action, policy.revision + 1
            policy.save(update_fields=["leak_action", "revision"])
            details = {"from": before, "to": action}
            record(action="key_policy.changed", actor=actor, target=tenant.pk, tenant_id=tenant.pk, reason=reason, details=details)
    return policy

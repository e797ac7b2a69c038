"""What the clock starts: doorbells that were lost, workers that died, graces that ran out."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.utils import timezone

from core.actors import system
from core.errors import ConflictError
from provisioning import claims, doorbell
from provisioning.services import start_deprovision
from tenants.lifecycle import TenantState
from tenants.models import Tenant

logger = logging.getLogger(__name__)

# A message under way needs a moment; only what is overdue by more than this is rung for again.
GRACE = timedelta(seconds=5)
MOST = 200


def ring_overdue(*, grace: timedelta = GRACE) -> int:
    """Ring for operations that are overdue, the oldest 200; gives their number. A needless ring costs one conditional UPDATE."""
    overdue = list(claims.list_due(limit=MOST, grace=grace))
    for operation_id in overdue:
        doorbell.ring(operation_id)
    return len(overdue)


def start_due_removals() -> int:
    """Start the removal of tenants whose grace has run out; gives the number started. One that is busy is started next time."""
    due = Tenant.objects.filter(state=TenantState.OFFBOARDING, offboard_due_at__lte=timezone.now())
    started = 0
    for tenant_id in due.exclude(operations__kind="deprovision").order_by("offboard_due_at").values_list("pk", flat=True)[:MOST]:
        try:
            start_deprovision(actor=system("grace"), tenant_id=tenant_id, reason="the grace has run out")
            started += 1
        except ConflictError as error:
            logger.info("removal not started: %s", error, extra={"tenant": tenant_id})
    return started

"""Numbers that several pages show. Reads only."""

from __future__ import annotations

from provisioning.models import Operation, OperationState


def failed_operations() -> int:
    """Give how many operations have failed and wait for an operator; one indexed count."""
    return Operation.objects.filter(state=OperationState.FAILED).count()

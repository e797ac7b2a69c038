"""The ledger of one owner, held in memory while a worker holds the owner's operation.

Only the worker with the lease writes these rows, so one read at the start is enough; every write goes to the database in the caller's
transaction first and is mirrored here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from core.statements import Insert, Update
from provisioning.models import Operation, Resource, ResourceState, Step, StepAction
from provisioning.plan import Entry
from provisioning.resources.base import Attributes, Known, fingerprint_of
from tenants.members import connections

_insert_row, _update_row = Insert(Resource), Update(Resource, "id")


def entries_of(*, tenant_id: str | None = None, cell_id: str | None = None) -> tuple[Entry, ...]:
    """Give the planner's view of what is recorded for a tenant, or for a cell's shared resources."""
    rows = (
        Resource.objects.filter(tenant_id=tenant_id, cell_id=cell_id).exclude(state=ResourceState.ABSENT).order_by("kind", "name")
    )
    return tuple(Entry(row.kind, row.name, row.state, row.fingerprint, row.spec) for row in rows)


class Ledger:
    """The rows of an operation's owner, and the attributes of what its cell shares."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        rows = Resource.objects.filter(tenant_id=operation.tenant_id, cell_id=operation.cell_id).order_by()
        self._rows: dict[tuple[str, str], Resource] = {(row.kind, row.name): row for row in rows}
        self._shared = self._shared_attributes(operation)
        # Whether nothing begun for the step's resource is unaccounted for: its first try, and no earlier operation left it half made.
        self._is_accounted_for = False

    @staticmethod
    def _shared_attributes(operation: Operation) -> Mapping[tuple[str, str], Attributes]:
        if operation.tenant is None:
            return {}
        rows = (
            Resource.objects.filter(cell_id=operation.tenant.cell_id, tenant__isnull=True)
            .exclude(state=ResourceState.ABSENT)
            .order_by()
        )
        return {(kind, name): attributes for kind, name, attributes in rows.values_list("kind", "name", "attributes")}

    def known_to(self, step: Step) -> Known:
        """Give what a step may know: its own attributes, its owner's other resources, and the cell's."""
        owned = {key: row.attributes for key, row in self._rows.items() if row.state != ResourceState.ABSENT and row.attributes}
        this = owned.get((step.kind, step.name), {})
        sealed = partial(connections.details_for_pool, self._operation.tenant_id or "")
        return Known(this=this, owned=owned, shared=self._shared, fresh=self._is_accounted_for, sealed=sealed)

    def intend(self, step: Step) -> None:
        """Write, before any call, what the step is about to do, so that a crash leaves nothing unknown."""
        if step.action == StepAction.RETAIN:
            return
        row = self._rows.get((step.kind, step.name))
        half = (ResourceState.INTENDED, ResourceState.REMOVING)
        self._is_accounted_for = step.tries == 1 and (row is None or row.state not in half)
        if step.action == StepAction.ENSURE:
            self._write(step, state=ResourceState.INTENDED, spec=step.spec, fingerprint=fingerprint_of(step.spec), differences=[])
        else:
            self._write(step, state=ResourceState.REMOVING)

    def settle(self, step: Step, attributes: Attributes, now: datetime) -> None:
        """Write what was read back after the step."""
        if step.action == StepAction.ENSURE:
            self._write(step, state=ResourceState.PRESENT, attributes=dict(attributes), differences=[], observed_at=now)
        elif step.action == StepAction.RETAIN:
            self._write(step, state=ResourceState.RETAINED)
        else:
            self._write(step, state=ResourceState.ABSENT, attributes={}, differences=[], observed_at=now)

    def note_attributes(self, step: Step, attributes: Attributes) -> None:
        """Keep what a step found before it had to wait."""
        if attributes:
            row = self._rows[step.kind, step.name]
            self._write(step, state=row.state, attributes={**row.attributes, **attributes})

    def _write(self, step: Step, **values: Any) -> None:
        key = (step.kind, step.name)
        row = self._rows.get(key)
        if row is None:
            values.setdefault("spec", step.spec)
            values.setdefault("fingerprint", fingerprint_of(step.spec))
            row = self._rows[key] = Resource(
                tenant_id=self._operation.tenant_id,
                cell_id=self._operation.cell_id,
                kind=step.kind,
                name=step.name,
                operation_id=self._operation.pk,
                **values,
            )
            _insert_row(row)
            return
        _update_row(row.pk, operation_id=self._operation.pk, **values)
        for name, value in values.items():
            setattr(row, name, value)

    def left_behind(self) -> list[str]:
        """Name what was begun and not read back: it may or may not exist in AWS."""
        half = (ResourceState.INTENDED, ResourceState.REMOVING)
        return sorted(f"{row.kind} {row.name}" for row in self._rows.values() if row.state in half)

"""Operations with their steps, and the ledger: what we meant to make in AWS and what was read back.

The row is the truth. A message in the queue only says that a row may be worth looking at.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from core.ids import OPERATION, RESOURCE, STEP, new_id
from tenants.models import Cell, Tenant


def new_operation_id() -> str:
    """A fresh ``op_`` id."""
    return new_id(OPERATION)


def new_step_id() -> str:
    """A fresh ``stp_`` id."""
    return new_id(STEP)


def new_resource_id() -> str:
    """A fresh ``res_`` id."""
    return new_id(RESOURCE)


class OperationKind(models.TextChoices):
    """What an operation brings about. All of them are the same converge towards another desired set."""

    PREPARE_CELL = "prepare_cell", "prepare cell"
    ONBOARD = "onboard", "onboard"
    CHANGE_TIER = "change_tier", "change tier"
    SUSPEND = "suspend", "suspend"
    RESUME = "resume", "resume"
    OFFBOARD = "offboard", "offboard"
    UNDO_OFFBOARD = "undo_offboard", "undo offboarding"
    DEPROVISION = "deprovision", "deprovision"
    REPAIR = "repair", "repair"
    CONNECT = "connect", "connect identity provider"
    ABANDON = "abandon", "abandon"


class OperationState(models.TextChoices):
    """Where an operation stands. Each comment says who acts next."""

    PENDING = "pending"  # any worker: it claims by a conditional UPDATE
    RUNNING = "running"  # the worker that holds the lease; after the lease, the sweep
    WAITING = "waiting"  # the clock: from not_before on, any worker
    SUCCEEDED = "succeeded"  # nobody
    FAILED = "failed"  # an operator: retry or abandon
    ABANDONED = "abandoned"  # nobody: another operation took its place


ACTIVE_STATES = (OperationState.PENDING, OperationState.RUNNING, OperationState.WAITING)


class Operation(models.Model):
    """One change under way for one tenant or one cell, with its steps.

    ``attempt`` is the fencing number: it grows with every claim, and a worker records only while it still matches. ``lease_until`` says until when
    the claim holds. ``failures`` counts the retries of the current step. ``target`` keeps what the operation was asked to bring about.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_operation_id, editable=False)
    kind = models.CharField(max_length=20, choices=OperationKind.choices)
    tenant = models.ForeignKey(Tenant, null=True, blank=True, on_delete=models.PROTECT, related_name="operations")
    cell = models.ForeignKey(Cell, null=True, blank=True, on_delete=models.PROTECT, related_name="operations")
    state = models.CharField(max_length=12, choices=OperationState.choices, default=OperationState.PENDING)
    actor = models.CharField(max_length=200)
    reason = models.CharField(max_length=500, blank=True)
    target = models.JSONField(default=dict, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    steps_total = models.PositiveSmallIntegerField(default=0)
    steps_done = models.PositiveSmallIntegerField(default=0)
    error_code = models.CharField(max_length=100, blank=True)
    error_detail = models.TextField(blank=True)
    left_behind = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "not_before"], name="operation_due_idx"),
            models.Index(fields=["tenant", "-id"], name="operation_tenant_idx"),
            models.Index(fields=["state", "-id"], name="operation_state_idx"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(state__in=[s.value for s in ACTIVE_STATES]), name="one_active_operation_a_tenant"
            ),
            models.UniqueConstraint(
                fields=["cell"],
                condition=Q(state__in=[s.value for s in ACTIVE_STATES], tenant__isnull=True),
                name="one_active_operation_a_cell",
            ),
            models.CheckConstraint(
                condition=Q(tenant__isnull=False, cell__isnull=True) | Q(tenant__isnull=True, cell__isnull=False),
                name="operation_has_one_subject",
            ),
            models.CheckConstraint(condition=Q(state__in=OperationState.values), name="operation_state_known"),
            models.CheckConstraint(condition=Q(steps_done__lte=F("steps_total")), name="operation_steps_done_bound"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.id})"

    @property
    def is_active(self) -> bool:
        """True while some worker, or the clock, will still move it."""
        return self.state in ACTIVE_STATES


class StepAction(models.TextChoices):
    """What a step does with its resource."""

    ENSURE = "ensure"
    REMOVE = "remove"
    RETAIN = "retain"


class StepState(models.TextChoices):
    """Where a step stands. Each comment says who acts next."""

    PENDING = "pending"  # the engine, when the steps before it are done
    RUNNING = "running"  # the worker that holds the operation's lease
    WAITING = "waiting"  # the clock: AWS is at it, or a retry is due
    SUCCEEDED = "succeeded"  # nobody: observed
    FAILED = "failed"  # an operator


class Step(models.Model):
    """One resource brought to one shape, in the order of ``position``. ``spec`` is frozen at planning time."""

    id = models.CharField(primary_key=True, max_length=40, default=new_step_id, editable=False)
    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    action = models.CharField(max_length=8, choices=StepAction.choices)
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    spec = models.JSONField()
    state = models.CharField(max_length=12, choices=StepState.choices, default=StepState.PENDING)
    tries = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=500, blank=True)
    error_code = models.CharField(max_length=100, blank=True)
    error_detail = models.TextField(blank=True)
    aws_request_id = models.CharField(max_length=100, blank=True)
    aws_calls = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["operation", "position"]
        constraints = [
            models.UniqueConstraint(fields=["operation", "position"], name="step_position_unique"),
            models.CheckConstraint(condition=Q(state__in=StepState.values), name="step_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.kind} {self.name}"


class ResourceState(models.TextChoices):
    """What the ledger knows of a resource. Each comment says who acts next."""

    INTENDED = "intended"  # the engine: written before the call, so that nothing half-made is forgotten
    PRESENT = "present"  # nobody: read back as promised at observed_at
    DRIFTED = "drifted"  # repair: it was read back and was not as promised, or gone
    RETAINED = "retained"  # offboarding: no longer part of the tenant's shape, kept because it holds data
    REMOVING = "removing"  # the engine: written before the delete
    ABSENT = "absent"  # nobody: read back as gone


class Resource(models.Model):
    """The ledger: one row for each resource that a tenant or a cell has, had or was about to have in AWS."""

    id = models.CharField(primary_key=True, max_length=40, default=new_resource_id, editable=False)
    tenant = models.ForeignKey(Tenant, null=True, blank=True, on_delete=models.PROTECT, related_name="resources")
    cell = models.ForeignKey(Cell, null=True, blank=True, on_delete=models.PROTECT, related_name="resources")
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=64)
    state = models.CharField(max_length=12, choices=ResourceState.choices, default=ResourceState.INTENDED)
    spec = models.JSONField()
    fingerprint = models.CharField(max_length=64)
    attributes = models.JSONField(default=dict, blank=True)
    differences = models.JSONField(default=list, blank=True)
    operation = models.ForeignKey(Operation, null=True, blank=True, on_delete=models.SET_NULL, related_name="touched")
    observed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["tenant", "cell", "kind", "name"]
        indexes = [models.Index(fields=["kind", "state"], name="resource_kind_state_idx")]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "kind", "name"], condition=Q(tenant__isnull=False), name="resource_once_a_tenant"
            ),
            models.UniqueConstraint(fields=["cell", "kind", "name"], condition=Q(tenant__isnull=True), name="resource_once_a_cell"),
            models.CheckConstraint(
                condition=Q(tenant__isnull=False, cell__isnull=True) | Q(tenant__isnull=True, cell__isnull=False),
                name="resource_has_one_owner",
            ),
            models.CheckConstraint(condition=Q(state__in=ResourceState.values), name="resource_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"

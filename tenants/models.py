"""Tiers, cells, tenants and the requests that ask for them. Constraints say what must never be; services say what happens."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from core.ids import CELL, REQUEST, TENANT, new_id
from tenants.facts import FailPolicy, IsolationModel
from tenants.lifecycle import TenantState


def new_tenant_id() -> str:
    """A fresh ``tnt_`` id."""
    return new_id(TENANT)


def new_cell_id() -> str:
    """A fresh ``cell_`` id."""
    return new_id(CELL)


def new_request_id() -> str:
    """A fresh ``req_`` id."""
    return new_id(REQUEST)


class Tier(models.Model):
    """What a tenant of this tier gets. A tier is data: operators edit it, and a tenant's next converge follows.

    Rates are requests a second, quotas requests a period (UTC), ``concurrency`` requests in flight; an empty quota or concurrency does not
    limit. ``weight`` is the share of the platform's capacity, ``fail_policy`` what an edge does that cannot hear from us. Ages are whole days,
    overlaps and graces seconds. A retired tier keeps its tenants and takes no new ones.
    """

    code = models.SlugField(primary_key=True, max_length=32)
    name = models.CharField(max_length=64)
    isolation_model = models.CharField(max_length=16, choices=[(m.value, m.value) for m in IsolationModel])
    rate_per_second = models.PositiveIntegerField(default=10)
    burst = models.PositiveIntegerField(default=20)
    quota_per_day = models.PositiveBigIntegerField(default=100_000)
    quota_per_month = models.PositiveBigIntegerField(null=True, blank=True)
    concurrency = models.PositiveIntegerField(null=True, blank=True)
    weight = models.PositiveSmallIntegerField(default=1)
    fail_policy = models.CharField(max_length=8, choices=[(p.value, p.value) for p in FailPolicy], default=FailPolicy.CLOSED.value)
    key_max_age_days = models.PositiveSmallIntegerField(default=365)
    key_overlap_seconds = models.PositiveIntegerField(default=86_400)
    key_quiet_seconds = models.PositiveIntegerField(default=3_600)
    sso_allowed = models.BooleanField(default=False)
    log_retention_days = models.PositiveSmallIntegerField(default=30)
    offboarding_grace_seconds = models.PositiveIntegerField(default=7 * 86_400)
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(isolation_model__in=[m.value for m in IsolationModel]), name="tier_isolation_model_known"
            ),
            models.CheckConstraint(condition=Q(fail_policy__in=[p.value for p in FailPolicy]), name="tier_fail_policy_known"),
            models.CheckConstraint(condition=Q(rate_per_second__gt=0, burst__gt=0, weight__gt=0), name="tier_limits_positive"),
        ]

    def __str__(self) -> str:
        return self.name


class CellState(models.TextChoices):
    """Whether a cell can take tenants. Each comment says who acts next."""

    REGISTERED = "registered"  # an operator or `up`, who starts its preparation
    PREPARING = "preparing"  # the engine
    READY = "ready"  # nobody; tenants may come
    DRAINING = "draining"  # an operator, who moves its tenants: it takes no new ones


class Cell(models.Model):
    """A place to put tenants: one environment, account and region, the role that works there, and AWS's quotas for it.

    ``quotas`` maps ``user_pools``, ``roles``, ``stacks``, ``secrets``, ``buckets``, ``kms_keys`` to the account's limits; a name that is
    absent is not limited. ``capabilities`` holds what a stand-in lacks (``tenants.facts.Capabilities``); empty means real AWS.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_cell_id, editable=False)
    code = models.CharField(max_length=20, unique=True)
    environment = models.CharField(max_length=16)
    partition = models.CharField(max_length=16, default="aws")
    region = models.CharField(max_length=32)
    account_id = models.CharField(max_length=12)
    role_arn = models.CharField(max_length=256, blank=True)
    quotas = models.JSONField(default=dict, blank=True)
    capabilities = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=16, choices=CellState.choices, default=CellState.REGISTERED)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(condition=Q(code__regex=r"^[a-z](-?[a-z0-9])*$"), name="cell_code_shape"),
            models.CheckConstraint(condition=Q(account_id__regex=r"^[0-9]{12}$"), name="cell_account_shape"),
            models.CheckConstraint(condition=Q(state__in=CellState.values), name="cell_state_known"),
        ]

    def __str__(self) -> str:
        return self.code


class Tenant(models.Model):
    """A customer of the SaaS.

    ``id`` separates it from every other in AWS; ``slug`` is only how people call it, and ``skeleton`` what the slug looks like, so that
    no two tenants can be mistaken for each other. ``tier`` is what it should have; what it has is in the ledger. ``revision`` counts
    changes for optimistic edits. ``admin_enabled`` is whether the first administrator may come in, which
    ``tenants.members`` decides and the engine carries out; so is ``identity_provider``, what the engine has to know of the tenant's own one
    (``tenants.selectors.connection_facts``). A closed tenant keeps its row and its slug for ever.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_tenant_id, editable=False)
    slug = models.CharField(max_length=63)
    skeleton = models.CharField(max_length=63, editable=False)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=16, choices=[(s.value, s.value) for s in TenantState], default=TenantState.REQUESTED.value)
    tier = models.ForeignKey(Tier, on_delete=models.PROTECT, related_name="tenants")
    cell = models.ForeignKey(Cell, on_delete=models.PROTECT, related_name="tenants")
    admin_email = models.EmailField(max_length=254)
    admin_name = models.CharField(max_length=200, blank=True)
    admin_enabled = models.BooleanField(default=True)
    identity_provider = models.JSONField(default=dict, blank=True, editable=False)
    state_reason = models.CharField(max_length=500, blank=True)
    state_changed_at = models.DateTimeField()
    resume_state = models.CharField(max_length=16, blank=True)
    offboard_due_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "-id"], name="tenant_state_idx"),
            models.Index(fields=["tier", "-id"], name="tenant_tier_idx"),
            models.Index(fields=["cell", "state"], name="tenant_cell_state_idx"),
            models.Index(fields=["cell", "-id"], name="tenant_cell_idx"),
        ]
        constraints = [
            models.UniqueConstraint(Lower("slug"), name="tenant_slug_unique"),
            models.UniqueConstraint(fields=["skeleton"], name="tenant_no_look_alike"),
            models.CheckConstraint(condition=Q(slug__regex=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"), name="tenant_slug_shape"),
            models.CheckConstraint(condition=Q(state__in=[s.value for s in TenantState]), name="tenant_state_known"),
            models.CheckConstraint(
                condition=~Q(state=TenantState.OFFBOARDING.value) | Q(offboard_due_at__isnull=False),
                name="tenant_offboarding_has_due_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RequestState(models.TextChoices):
    """What became of a request to onboard. Each comment says who acts next."""

    ACCEPTED = "accepted"  # the engine, on the tenant that it made
    REFUSED = "refused"  # the caller, who mends the named fields and asks again


class OnboardingRequest(models.Model):
    """What somebody asked for, apart from what came of it.

    ``reference`` is the caller's own key for this request (an idempotency key, a row of a file): asking twice with the same reference and the
    same content gives the first answer, with other content a ConflictError. ``fingerprint`` is the SHA-256 of the content.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_request_id, editable=False)
    reference = models.CharField(max_length=200, unique=True)
    fingerprint = models.CharField(max_length=64)
    payload = models.JSONField()
    state = models.CharField(max_length=16, choices=RequestState.choices)
    errors = models.JSONField(default=list, blank=True)
    tenant = models.ForeignKey(Tenant, null=True, blank=True, on_delete=models.PROTECT, related_name="requests")
    actor = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state=RequestState.REFUSED) | Q(tenant__isnull=False), name="request_accepted_has_tenant"
            ),
        ]

    def __str__(self) -> str:
        return self.reference

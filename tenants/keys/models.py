"""Keys, their versions, their use, and what was reported as leaked. Constraints say what must never be; services say what happens.

Counters refer to what they count without a constraint of the database's. It would lock the row of a key or a tenant for each counter, in an order
that does not go together with that of the services. Whoever counts asks first whose a version is.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from core.ids import KEY, KEY_VERSION, LEAK, new_id
from tenants.models import Tenant


def new_key_id() -> str:
    """A fresh ``key_`` id."""
    return new_id(KEY)


def new_version_id() -> str:
    """A fresh ``kv_`` id."""
    return new_id(KEY_VERSION)


def new_leak_id() -> str:
    """A fresh ``leak_`` id."""
    return new_id(LEAK)


class KeyEnvironment(models.TextChoices):
    """What a key is for. It is part of the key's text and never changes."""

    LIVE = "live"
    TEST = "test"


class KeyState(models.TextChoices):
    """Where a key stands. Each comment says who acts next."""

    ISSUING = "issuing"  # the request that makes it; when its claim has run out, the clock abandons it
    ACTIVE = "active"  # nobody; whether it has expired is asked of the clock at every use
    DISABLED = "disabled"  # whoever may enable it again
    REVOKED = "revoked"  # nobody, ever again
    EXPIRED = "expired"  # nobody, ever again: its last version's life is over
    ABANDONED = "abandoned"  # nobody: it was never issued, because its maker died or the store refused it


NEVER_GIVEN = (KeyState.ISSUING, KeyState.ABANDONED)
"""States of keys that nobody was ever given: no list and no look-up shows them."""


class Stage(models.TextChoices):
    """Where a version stands, in the words of Secrets Manager's own rotation. Each comment says who acts next."""

    PENDING = "pending"  # the rotation that makes it; when its claim has run out, the clock abandons it
    CURRENT = "current"  # nobody; at most one a key
    PREVIOUS = (
        "previous"  # the clock, at the end of the overlap or when the successor is used and this one quiet; at most one a key
    )
    RETIRED = "retired"  # nobody, ever again


class Algorithm(models.TextChoices):
    """What the digest was made of."""

    OURS = "hmac-sha256"  # HMAC-SHA-256, under the pepper, of the key's text
    IMPORTED = "hmac-sha256-of-sha256"  # HMAC-SHA-256, under the pepper, of a SHA-256 in hex that came from elsewhere


class StoreState(models.TextChoices):
    """How Secrets Manager stands to what it should hold of a key. Each comment says who acts next."""

    UNSETTLED = "unsettled"  # whoever has just changed the key, and after it the clock
    SETTLED = "settled"  # nobody: it was read back as it should be, at ``store_settled_at``
    LOST = "lost"  # the key's owner, who rotates it: somebody deleted what we cannot know any more
    EMPTY = "empty"  # nobody: an imported key, of which only a digest ever came to us


class ApiKey(models.Model):
    """A tenant's key: what it is called, may do and from where, for how long, and how the store stands to it.

    ``public_id`` is part of the text of every version, so the visible start stays through rotations. ``expires_at`` is the end of the key
    itself, which no version outlives; empty means that only the tier's maximum age binds each version. ``rotate_due_at`` is set while a
    rotation is owed (by schedule, or because of a leak). ``store_generation`` counts what the store should follow, ``store_claim`` fences
    off a worker that overslept. ``revision`` counts edits.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_key_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="keys")
    public_id = models.CharField(max_length=16, unique=True)
    brand = models.CharField(max_length=16)
    environment = models.CharField(max_length=8, choices=KeyEnvironment.choices)
    name = models.CharField(max_length=100)
    scopes = models.JSONField(default=list)
    cidrs = models.JSONField(default=list)
    metadata = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=KeyState.choices, default=KeyState.ISSUING)
    state_reason = models.CharField(max_length=500, blank=True)
    disabled_by = models.CharField(max_length=200, blank=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    leaked_at = models.DateTimeField(null=True, blank=True)
    rotate_every_days = models.PositiveSmallIntegerField(null=True, blank=True)
    rotate_due_at = models.DateTimeField(null=True, blank=True)
    rotate_overlap_seconds = models.PositiveIntegerField(null=True, blank=True)
    reference = models.CharField(max_length=200, null=True, blank=True, unique=True)
    revision = models.PositiveIntegerField(default=1)
    store_state = models.CharField(max_length=16, choices=StoreState.choices, default=StoreState.UNSETTLED)
    store_generation = models.PositiveIntegerField(default=1)
    store_claim = models.PositiveIntegerField(default=0)
    store_claimed_until = models.DateTimeField(null=True, blank=True)
    store_due_at = models.DateTimeField(null=True, blank=True)
    store_failures = models.PositiveIntegerField(default=0)
    store_error = models.CharField(max_length=100, blank=True)
    store_settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "key"
        indexes = [
            # What is counted, skipped and searched of a long list is in the index, so that it is not read key by key.
            models.Index(fields=["tenant", "-id", "state", "name", "public_id"], name="key_tenant_list_idx"),
            models.Index(fields=["tenant", "state", "-id"], name="key_tenant_state_idx"),
            models.Index(fields=["tenant", "environment", "-id", "state"], name="key_tenant_environment_idx"),
            models.Index(fields=["tenant", "public_id"], name="key_tenant_start_idx"),
            models.Index(fields=["store_due_at"], name="key_unsettled_idx", condition=Q(store_state="unsettled")),
            models.Index(fields=["rotate_due_at"], name="key_rotation_due_idx", condition=Q(rotate_due_at__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=KeyState.values), name="key_state_known"),
            models.CheckConstraint(condition=Q(environment__in=KeyEnvironment.values), name="key_environment_known"),
            models.CheckConstraint(condition=Q(store_state__in=StoreState.values), name="key_store_state_known"),
            models.CheckConstraint(condition=~Q(name=""), name="key_has_a_name"),
            models.CheckConstraint(
                condition=Q(state__in=["issuing", "active", "disabled"], ended_at__isnull=True)
                | Q(state__in=["revoked", "expired", "abandoned"], ended_at__isnull=False),
                name="key_ended_has_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_living(self) -> bool:
        """Whether it can still be used or come to be: not ended for good."""
        return self.state in (KeyState.ISSUING, KeyState.ACTIVE, KeyState.DISABLED)


class KeyVersion(models.Model):
    """One text of a key, of which only a digest is kept.

    ``expires_at`` is fixed when the version is made, and may only ever come nearer. ``retires_at`` is the end of the overlap of a previous
    version: a bound while the store is being moved (``switched_at`` empty), exact from then on. ``last_used_at`` is right to a minute.
    ``reminded_days`` is the smallest number of days before expiry that its owner was told of.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_version_id, editable=False)
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.PENDING)
    algorithm = models.CharField(max_length=24, choices=Algorithm.choices, default=Algorithm.OURS)
    pepper_id = models.PositiveSmallIntegerField()
    digest = models.CharField(max_length=64)
    last_four = models.CharField(max_length=4)
    created_by = models.CharField(max_length=200)
    issued_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True, blank=True)
    promoted_at = models.DateTimeField(null=True, blank=True)
    overlap_seconds = models.PositiveIntegerField(null=True, blank=True)
    switched_at = models.DateTimeField(null=True, blank=True)
    retires_at = models.DateTimeField(null=True, blank=True)
    retire_when_quiet = models.BooleanField(default=False)
    retired_at = models.DateTimeField(null=True, blank=True)
    retired_because = models.CharField(max_length=32, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_from = models.GenericIPAddressField(null=True, blank=True)
    reminded_days = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        verbose_name = "key version"
        indexes = [
            models.Index(fields=["expires_at"], name="version_expiry_idx", condition=Q(stage="current")),
            models.Index(fields=["retires_at"], name="version_retires_idx", condition=Q(stage="previous")),
            models.Index(fields=["claimed_until"], name="version_claimed_idx", condition=Q(stage="pending")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["key", "number"], name="version_number_once"),
            models.UniqueConstraint(
                fields=["digest"], condition=Q(algorithm="hmac-sha256-of-sha256"), name="version_imported_once"
            ),
            models.UniqueConstraint(fields=["key"], condition=Q(stage="pending"), name="version_one_pending"),
            models.UniqueConstraint(fields=["key"], condition=Q(stage="current"), name="version_one_current"),
            models.UniqueConstraint(fields=["key"], condition=Q(stage="previous"), name="version_one_previous"),
            models.CheckConstraint(condition=Q(stage__in=Stage.values), name="version_stage_known"),
            models.CheckConstraint(condition=Q(algorithm__in=Algorithm.values), name="version_algorithm_known"),
            models.CheckConstraint(condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="version_digest_shape"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("issued_at")), name="version_has_a_life"),
            models.CheckConstraint(
                condition=Q(retires_at__isnull=True) | Q(retires_at__lte=F("expires_at")), name="version_overlap_within_life"
            ),
            models.CheckConstraint(condition=~Q(stage="previous") | Q(retires_at__isnull=False), name="version_previous_ends"),
            models.CheckConstraint(
                condition=Q(stage="retired", retired_at__isnull=False) | (~Q(stage="retired") & Q(retired_at__isnull=True)),
                name="version_retired_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key_id} version {self.number}"


class KeyUse(models.Model):
    """How often a version was presented and accepted in one hour (UTC), where it was verified and at the edges."""

    version = models.ForeignKey(KeyVersion, on_delete=models.CASCADE, related_name="uses", db_constraint=False, db_index=False)
    hour = models.DateTimeField()
    calls = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-hour"]
        constraints = [models.UniqueConstraint(fields=["version", "hour"], name="key_use_one_row_an_hour")]

    def __str__(self) -> str:
        return f"{self.version_id} {self.hour:%Y-%m-%dT%H}Z {self.calls}"


class KeyDay(models.Model):
    """What a key's versions were called together on one day (UTC): the busiest keys are read off its index, however many there are.

    ``cost`` is what edges admitted, which is what the key's own quotas are charged; a call that no edge decided adds none.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="days", db_constraint=False, db_index=False)
    day = models.DateField()
    calls = models.PositiveBigIntegerField(default=0)
    cost = models.PositiveBigIntegerField(
        default=0, db_default=0
    )  # the database's as well, for a release that does not know it yet

    class Meta:
        ordering = ["-day"]
        indexes = [models.Index(fields=["tenant", "day", "-calls", "key"], name="key_day_busiest_idx")]
        constraints = [models.UniqueConstraint(fields=["key", "day"], name="key_day_one_row_a_day")]

    def __str__(self) -> str:
        return f"{self.key_id} {self.day} {self.calls}"


class TenantHour(models.Model):
    """What all of a tenant's keys were called together in one hour (UTC)."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False)
    hour = models.DateTimeField()
    calls = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-hour"]
        constraints = [models.UniqueConstraint(fields=["tenant", "hour"], name="tenant_hour_one_row_an_hour")]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.hour:%Y-%m-%dT%H}Z {self.calls}"


class LeakAction(models.TextChoices):
    """What a tenant wants done with a key that was found in public."""

    REVOKE = "revoke"  # the key ends in the transaction that takes the report
    ROTATE = "rotate"  # the leaked version's end comes near in that transaction, and a successor is made at once


class KeyPolicy(models.Model):
    """What one tenant has decided about its keys; without a row the defaults hold."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="key_policy")
    leak_action = models.CharField(max_length=8, choices=LeakAction.choices, default=LeakAction.REVOKE)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name_plural = "key policies"
        constraints = [models.CheckConstraint(condition=Q(leak_action__in=LeakAction.values), name="key_policy_leak_action_known")]

    def __str__(self) -> str:
        return f"{self.tenant_id}: {self.leak_action}"


class LeakReport(models.Model):
    """A report of leaked keys that was taken: once, by the SHA-256 of its body. It holds numbers, never a key."""

    id = models.CharField(primary_key=True, max_length=40, default=new_leak_id, editable=False)
    source = models.CharField(max_length=32)
    body_digest = models.CharField(max_length=64, unique=True)
    received_at = models.DateTimeField()
    tokens = models.PositiveIntegerField()
    real = models.PositiveIntegerField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.source} {self.received_at:%Y-%m-%d %H:%M}: {self.real} of {self.tokens}"

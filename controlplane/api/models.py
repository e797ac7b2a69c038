"""Operator tokens, and the first answers of idempotent requests."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from core.ids import TOKEN, new_id


def new_token_id() -> str:
    """A fresh ``tok_`` id: what the audit log and the lists call a token."""
    return new_id(TOKEN)


class OperatorToken(models.Model):
    """A machine's right to act as an operator, within its scopes and until it expires or is revoked.

    The text of the token is not here: ``public_id`` finds the row, ``digest`` (HMAC-SHA-256 under the pepper ``pepper_id``) checks it,
    ``last_four`` is for people. ``last_used_at`` is right to a minute.
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_token_id, editable=False)
    public_id = models.CharField(max_length=32, unique=True)
    environment = models.CharField(max_length=12)
    label = models.CharField(max_length=100)
    scopes = models.JSONField(default=list)
    last_four = models.CharField(max_length=4)
    pepper_id = models.PositiveSmallIntegerField()
    digest = models.CharField(max_length=64)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = "operator token"
        constraints = [
            models.CheckConstraint(condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="operator_token_digest_shape"),
            models.CheckConstraint(condition=Q(expires_at__gt=models.F("created_at")), name="operator_token_has_a_life"),
            models.CheckConstraint(condition=~Q(label=""), name="operator_token_has_a_label"),
        ]

    def __str__(self) -> str:
        return f"{self.label} ({self.id})"


class IdempotencyState(models.TextChoices):
    """Where a request with an idempotency key stands. Each comment says who acts next."""

    RUNNING = "running"  # the request that holds the claim; when the claim has run out, whoever asks again
    ANSWERED = "answered"  # nobody: the answer is replayed until it expires


class IdempotencyRecord(models.Model):
    """The first answer to a request, kept for those who ask again with the same key. It never holds a secret.

    ``caller`` is the id of the operator token or of the tenant's key that asked, so that neither meets the other's. ``fingerprint`` is
    the SHA-256 of method, path and body. ``claim`` is the fencing number: it grows each time that somebody takes over, and an answer is
    written only while it still matches.
    """

    caller = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    state = models.CharField(max_length=8, choices=IdempotencyState.choices, default=IdempotencyState.RUNNING)
    claim = models.PositiveIntegerField(default=1)
    claimed_until = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    headers = models.JSONField(default=dict, blank=True)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once_a_caller"),
            models.CheckConstraint(condition=Q(state__in=IdempotencyState.values), name="idempotency_state_known"),
            models.CheckConstraint(
                condition=Q(state="running", status__isnull=True) | Q(state="answered", status__isnull=False),
                name="idempotency_answered_has_status",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"

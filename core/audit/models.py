"""Audit events and the heads of their chains. Nothing here is ever changed or deleted; the database's own triggers say so too."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from django.db import models
from django.db.models import F, Q

from core.actors import Actor, ActorKind
from core.errors import ForbiddenError
from core.ids import AUDIT, new_id

GLOBAL_CHAIN = "*"  # the head row of the chain over all events; tenant chains are named by tenant id


class Noun(models.Func):
    """The noun of an action, ``key`` of ``key.rotated``, as the databases compute it: what the index over nouns is made of.

    It has no parameters, because SQLite takes an expression for an index's only where both are the same text.
    """

    template = "split_part(%(expressions)s, '.', 1)"
    output_field = models.CharField(max_length=100)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite has no ``split_part``."""
        return self.as_sql(compiler, connection, template="substr(%(expressions)s, 1, instr(%(expressions)s, '.') - 1)", **context)


class AppendOnlyError(ForbiddenError):
    """Somebody tried to change or delete an entry of the audit log."""

    code = "append-only"
    title = "The audit log is append-only"


def new_audit_id() -> str:
    """A fresh ``aud_`` id."""
    return new_id(AUDIT)


class AppendOnlyQuerySet(models.QuerySet["AuditEvent"]):
    """A queryset that reads; every bulk write raises AppendOnlyError."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnlyError("Entries of the audit log are never changed.")

    def delete(self) -> NoReturn:
        """Refuse."""
        raise AppendOnlyError("Entries of the audit log are never deleted.")

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnlyError("Entries are written one at a time, by core.audit.services.record.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnlyError("Entries of the audit log are never changed.")


class AuditEvent(models.Model):
    """Who did what, to whom, why, and how it ended.

    The content and ``entry_mac`` are written with the act, in its transaction. ``sequence``, the hashes and the tenant's part are
    empty until the event is sealed, right after that transaction has committed (``core.audit.sealing``); an event is *pending*
    until then. ``position`` is the order of writing, with gaps where transactions were rolled back; ``sequence`` is the order in
    the chain, without gaps. ``details_json`` is kept as the very text that was signed: a database's JSON type may rewrite numbers.
    """

    position = models.BigAutoField(primary_key=True)
    public_id = models.CharField(max_length=40, unique=True, default=new_audit_id, editable=False)
    recorded_at = models.DateTimeField()
    actor_kind = models.CharField(max_length=16, choices=[(k.value, k.value) for k in ActorKind])
    actor_id = models.CharField(max_length=255)
    actor_label = models.CharField(max_length=255, blank=True)
    action = models.CharField(max_length=100)
    target = models.CharField(max_length=512)
    tenant_id = models.CharField(max_length=40, null=True, blank=True)
    reason = models.TextField(blank=True)
    outcome = models.CharField(max_length=32)
    details_json = models.TextField(default="{}")
    correlation_id = models.CharField(max_length=128, blank=True)
    key_id = models.CharField(max_length=16)
    entry_mac = models.CharField(max_length=64)

    sequence = models.BigIntegerField(null=True, unique=True)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64, blank=True)
    tenant_sequence = models.BigIntegerField(null=True)
    tenant_previous_hash = models.CharField(max_length=64, blank=True)
    tenant_hash = models.CharField(max_length=64, blank=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-position"]
        base_manager_name = "objects"
        indexes = [
            models.Index(fields=["position"], name="audit_pending_idx", condition=Q(sequence__isnull=True)),
            models.Index(fields=["tenant_id", "-position"], name="audit_tenant_idx"),
            models.Index(fields=["action", "-position"], name="audit_action_idx"),
            models.Index(fields=["actor_id", "-position"], name="audit_actor_idx"),
            models.Index(fields=["target", "tenant_id", "-position"], name="audit_target_of_tenant_idx"),
            models.Index(fields=["tenant_id", "actor_kind", "-position"], name="audit_tenant_kind_idx"),
            models.Index("tenant_id", Noun("action"), F("position").desc(), "actor_kind", name="audit_tenant_noun_idx"),
            models.Index(fields=["correlation_id"], name="audit_correlation_idx", condition=~Q(correlation_id="")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["tenant_id", "tenant_sequence"], name="audit_tenant_sequence_unique"),
            models.CheckConstraint(condition=Q(sequence__isnull=True) | Q(sequence__gt=0), name="audit_sequence_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert a new event; raises AppendOnlyError for one that is already stored."""
        if not self._state.adding:
            raise AppendOnlyError("Entries of the audit log are never changed.")
        kwargs["force_insert"] = True
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AppendOnlyError("Entries of the audit log are never deleted.")

    @property
    def id(self) -> str:
        """The public id, ``aud_...``."""
        return self.public_id

    @property
    def actor(self) -> Actor:
        """Who acted."""
        return Actor(ActorKind(self.actor_kind), self.actor_id, self.actor_label)

    @property
    def details(self) -> dict[str, Any]:
        """The details as they were recorded."""
        value = json.loads(self.details_json)
        return value if isinstance(value, dict) else {}

    @property
    def is_sealed(self) -> bool:
        """Whether the event has its place in the chain."""
        return self.sequence is not None


class AuditHead(models.Model):
    """The end of a chain: the last sealed sequence and its hash. The lock that the sealer takes is this row of the global chain.

    It tells a cut tail from a short history. A trigger refuses to delete it or to move it backwards.
    """

    chain = models.CharField(primary_key=True, max_length=40)
    sequence = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.chain} at {self.sequence}"

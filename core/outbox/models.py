"""Domain events, what became of each with each consumer, and the counter that orders them."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from core.ids import EVENT, new_id


def new_event_id() -> str:
    """A fresh ``evt_`` id."""
    return new_id(EVENT)


class OutboxEvent(models.Model):
    """Something that happened, in words of the domain (``tenant.activated``), written in the transaction that made it happen.

    ``sequence`` is empty until the relay has seen the event committed and gives it its place: gapless, and for each tenant the
    order in which consumers get it. ``position`` is the order of writing, with gaps where transactions were rolled back.
    """

    position = models.BigAutoField(primary_key=True)
    public_id = models.CharField(max_length=40, unique=True, default=new_event_id, editable=False)
    sequence = models.BigIntegerField(null=True, unique=True)
    type = models.CharField(max_length=100)
    subject = models.CharField(max_length=255)
    tenant_id = models.CharField(max_length=40, null=True, blank=True)
    data = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    occurred_at = models.DateTimeField()

    class Meta:
        ordering = ["position"]
        indexes = [
            models.Index(fields=["position"], name="outbox_undispatched_idx", condition=Q(sequence__isnull=True)),
            models.Index(fields=["tenant_id", "-position"], name="outbox_tenant_idx"),
            models.Index(fields=["occurred_at"], name="outbox_occurred_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"

    @property
    def id(self) -> str:
        """The public id, ``evt_...``, which consumers are idempotent by."""
        return self.public_id


class DeliveryState(models.TextChoices):
    """What became of an event with one consumer. Each comment says who acts next."""

    PENDING = "pending"  # the relay, when ``due_at`` has come and nothing earlier of the same tenant is open
    DELIVERED = "delivered"  # nobody
    DEAD = "dead"  # an operator, who drives it again or discards it; a consumer that holds waits for that
    DISCARDED = "discarded"  # nobody; an operator decided that this consumer does without it


class Delivery(models.Model):
    """One event for one consumer. ``attempts`` counts calls of the handler and is written before each, so that a crash counts too.

    ``stream`` is the tenant's id, or empty for events of no tenant: order is kept for each (consumer, stream).
    """

    event = models.ForeignKey(OutboxEvent, on_delete=models.CASCADE, related_name="deliveries")
    consumer = models.CharField(max_length=100)
    stream = models.CharField(max_length=40, blank=True)
    sequence = models.BigIntegerField()
    state = models.CharField(max_length=16, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ["sequence"]
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                fields=["consumer", "stream", "sequence"], name="outbox_open_idx", condition=Q(state__in=["pending", "dead"])
            ),
            models.Index(fields=["stream"], name="outbox_open_stream_idx", condition=Q(state="pending")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["event", "consumer"], name="outbox_one_delivery_a_consumer"),
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="outbox_delivery_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.consumer} {self.state} after {self.attempts}"


class OutboxHead(models.Model):
    """One row: the last sequence given. Dispatching takes its lock, so that sequences follow the order of commits."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sequence = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="outbox_head_is_single")]

    def __str__(self) -> str:
        return f"at {self.sequence}"

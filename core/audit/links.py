"""The two kinds of chain, each seen the same way: which column numbers a link, which holds the hash before, which the hash."""

from __future__ import annotations

from abc import ABC, abstractmethod

from django.db import models

from core.audit.chain import Keyring, global_hash, tenant_hash
from core.audit.models import GLOBAL_CHAIN, AuditEvent
from core.audit.rows import place_of


class Chain(ABC):
    """One chain: its name, its rows, and the arithmetic of a link."""

    name: str
    number_field: str
    previous_field: str
    hash_field: str

    @abstractmethod
    def rows(self) -> models.QuerySet[AuditEvent]:
        """All sealed entries of the chain, first to last."""

    @abstractmethod
    def compute(self, ring: Keyring, event: AuditEvent, *, code: str, number: int) -> str:
        """The hash that this entry would have at ``number`` with this entry code; raises UnknownKeyError."""

    def owns(self, event: AuditEvent) -> bool:
        """Whether the entry, as it stands, belongs into this chain."""
        return True

    def number(self, event: AuditEvent) -> int:
        """The entry's place in this chain."""
        return int(getattr(event, self.number_field))

    def previous(self, event: AuditEvent) -> str:
        """The hash that the entry says stands before it."""
        return str(getattr(event, self.previous_field))

    def hash(self, event: AuditEvent) -> str:
        """The entry's own hash as stored."""
        return str(getattr(event, self.hash_field))


class GlobalChain(Chain):
    """All events."""

    name = GLOBAL_CHAIN
    number_field, previous_field, hash_field = "sequence", "previous_hash", "hash"

    def rows(self) -> models.QuerySet[AuditEvent]:
        """Every sealed entry."""
        return AuditEvent.objects.filter(sequence__isnull=False).order_by("sequence")

    def compute(self, ring: Keyring, event: AuditEvent, *, code: str, number: int) -> str:
        """The hash over everything: code, writing order, the tenant's part, and the place."""
        return global_hash(ring, event.key_id, place=place_of(event, number=number), code=code)


class TenantChain(Chain):
    """The events of one tenant. It says nothing of where they stand among other tenants' events."""

    number_field, previous_field, hash_field = "tenant_sequence", "tenant_previous_hash", "tenant_hash"

    def __init__(self, tenant_id: str) -> None:
        self.name = tenant_id

    def rows(self) -> models.QuerySet[AuditEvent]:
        """Every sealed entry of the tenant."""
        return AuditEvent.objects.filter(tenant_id=self.name, tenant_sequence__isnull=False).order_by("tenant_sequence")

    def owns(self, event: AuditEvent) -> bool:
        """Whether it names this tenant."""
        return event.tenant_id == self.name

    def compute(self, ring: Keyring, event: AuditEvent, *, code: str, number: int) -> str:
        """The hash over the code and the place among the tenant's events."""
        return tenant_hash(ring, event.key_id, tenant_id=self.name, sequence=number, previous=event.tenant_previous_hash, code=code)

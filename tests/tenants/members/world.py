"""Members as rows, in any state, without the way that leads there."""

from __future__ import annotations

import itertools
from typing import Any

from django.utils import timezone

from tenants.members.models import Member
from tenants.models import Tenant
from tenants.naming import username

_numbers = itertools.count(1)


def new_member(tenant: Tenant, role: str = "owner", **values: Any) -> Member:
    """A member who has joined, unless ``state`` says otherwise."""
    email = values.pop("email", f"{role}{next(_numbers)}@{tenant.slug}.example")
    defaults: dict[str, Any] = {
        "name": f"{role.title()} of {tenant.name}",
        "state": "active",
        "invited_by": "operator:olga",
        "invited_at": timezone.now(),
        "joined_at": timezone.now(),
        "directory_state": "settled",
    }
    member = Member.objects.create(
        tenant=tenant,
        email=email,
        address=email.casefold(),
        username=username(tenant.pk, email),
        role=role,
        **{**defaults, **values},
    )
    return Member.objects.select_related("tenant__tier", "tenant__cell").get(pk=member.pk)

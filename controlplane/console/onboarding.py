"""Onboarding one tenant by hand: who it is, what it gets and where, and why."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from controlplane.console import preview
from controlplane.console.access import actor_of
from controlplane.console.act_forms import OnboardForm
from controlplane.console.acts import Act
from controlplane.console.confirm import Question, confirm
from controlplane.console.preview import Preview
from provisioning import services
from tenants.models import Cell, CellState, Tier

ONBOARD = Act("onboard", "Onboard", "add_business", "primary", example="Contract CT-204, signed on 12 November")
SENTENCES = (
    "The request is checked first: the short name, the e-mail, and whether the cell's AWS quotas leave room. Nothing is made before that.",
    "Then everything below is made and read back. The tenant is active when all of it is as promised.",
    "The administrator is invited by e-mail and must choose a password at the first sign-in.",
)


def onboard(request: HttpRequest, context: Mapping[str, Any]) -> HttpResponse:
    """Show the form with its plan, or start the onboarding and go to the tenant's page."""
    tiers = list(Tier.objects.filter(retired_at=None).order_by("rate_per_second", "code"))
    ready = list(Cell.objects.filter(state=CellState.READY))
    question = Question(
        act=ONBOARD,
        title="Onboard a tenant",
        button="Onboard",
        back_url=reverse("admin:tenants_tenant_changelist"),
        sentences=SENTENCES,
        make_form=partial(_form, tiers),
        previews=partial(_previews, tiers, ready),
        perform=partial(_perform, request),
        template="console/onboard.html",
        extra={"tiers": tiers, "cells_ready": ready},
    )
    return confirm(request, question, context)


def _form(tiers: list[Tier], *args: Any, initial: dict[str, Any], **kwargs: Any) -> OnboardForm:
    first = tiers[0].pk if tiers else None
    return OnboardForm(*args, initial={"reference": f"console:{uuid.uuid4()}", "tier": first, **initial}, **kwargs)


def _previews(tiers: list[Tier], ready: list[Cell], chosen: Mapping[str, Any]) -> tuple[Preview, ...]:
    tier = next((tier for tier in tiers if tier.pk == chosen.get("tier")), tiers[0] if tiers else None)
    cell = next((cell for cell in ready if cell.code == chosen.get("cell")), ready[0] if ready else None)
    return () if tier is None or cell is None else (preview.of_onboarding(tier, cell),)


def _perform(request: HttpRequest, clean: dict[str, Any]) -> str:
    operation = services.start_onboard(
        actor=actor_of(request),
        reference=clean["reference"],
        slug=clean["slug"],
        name=clean["name"],
        tier_code=clean["tier"].pk,
        cell_code=clean["cell"].code if clean["cell"] else "",
        admin_email=clean["admin_email"],
        admin_name=clean["admin_name"],
        reason=clean["reason"],
    )
    return reverse("admin:tenants_tenant_change", args=[operation.tenant_id])

"""How a program calls the API with a key of this tenant's: examples with its own paths, and what a verification says."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from controlplane.portal import key_words
from controlplane.portal.pages import page
from controlplane.portal.sessions import portal_of
from tenants.keys.codes import Code
from tenants.keys.scopes import MANAGEMENT, known_scopes

CODES = {
    Code.VALID: "The key is good for this.",
    Code.NOT_FOUND: "Unknown, mistyped, revoked, or never issued: all answer alike.",
    Code.DISABLED: "The key is disabled, or its tenant is not active.",
    Code.EXPIRED: "The time of this version is over: its life, or its overlap.",
    Code.FORBIDDEN: "From an address outside the key's ranges.",
    Code.INSUFFICIENT_PERMISSIONS: "A scope that was asked for is missing.",
    Code.RATE_LIMITED: "Reserved for limits, which are not enforced yet.",
    Code.USAGE_EXCEEDED: "Reserved for quotas, which are not enforced yet.",
}


def api(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the examples."""
    tenant = portal_of(request).tenant
    keys = reverse("api:tenant-keys", kwargs={"tenant": tenant.slug})
    words = sorted(known_scopes(settings.KEY_SCOPES), key=lambda word: (word in MANAGEMENT, word))
    context: dict[str, Any] = {
        "keys_url": request.build_absolute_uri(keys),
        "overlap": min(3_600, tenant.tier.key_overlap_seconds),
        "codes": [(code.value, words) for code, words in CODES.items()],
        "scopes": [(word, key_words.scope_of(word)) for word in words],
        "variable": f"{settings.KEY_BRAND.upper()}_KEY",
    }
    return page(request, "api", section="api", **context)

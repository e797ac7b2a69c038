"""The one page that shows a key's text: the answer to the POST that made it, and nothing else.

The text is in no session, database, cache or address: it is in this answer alone, which no cache may keep (``no-store``). Loading the page
again sends the form again; its number has made its key already, so what comes back says where the text is and does not have it. Without
JavaScript the text stands there to be selected; the script adds copying and a file made in the browser.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from controlplane.portal.key_lines import secret_of
from controlplane.portal.pages import page
from controlplane.portal.sessions import portal_of
from tenants.keys import selectors
from tenants.keys.making import IssuedKey


def reveal(request: HttpRequest, made: IssuedKey, *, rotated: bool = False) -> HttpResponse:
    """Answer with a key's text when it was made just now; say that it was shown already when ``made`` has none."""
    portal = portal_of(request)
    key = selectors.get_key(portal.tenant.pk, made.key.pk)
    context: dict[str, Any] = {
        "key": key,
        "version": made.version,
        "text": made.text,
        "variable": f"{key.brand.upper()}_KEY",
        "secret": secret_of(key),
        "rotated": rotated,
        "previous": selectors.previous_of(key) if rotated else None,
        "keys_url": request.build_absolute_uri(reverse("api:tenant-keys", kwargs={"tenant": portal.tenant.slug})),
    }
    return sealed(page(request, "key_reveal", section="keys", **context))


def sealed(response: HttpResponse) -> HttpResponse:
    """Forbid every cache to keep an answer, the one that *back* shows pages from included."""
    response["Cache-Control"] = "no-store, no-cache, must-revalidate, max-age=0, private"
    response["Pragma"] = "no-cache"
    return response

"""Parts of pages that renew themselves: an ordinary fragment with a strong ETag, so that an unchanged part costs a few hundred bytes.

The fragment must depend on rows alone: relative times and running durations are the browser's work. ``X-Live-Seconds`` says when to ask again:
soon while something moves, seldom while nothing does.
"""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.template.loader import render_to_string

SOON_SECONDS = 1
SELDOM_SECONDS = 6


def fragment(
    request: HttpRequest, template: str, context: dict[str, Any], *, is_moving: bool, soon: int = SOON_SECONDS
) -> HttpResponse:
    """Give the fragment, or 304 when the browser already shows this one. ``soon`` is the pace while something moves."""
    body = render_to_string(template, context, request).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    response: HttpResponse
    if request.headers.get("If-None-Match") == etag:
        response = HttpResponseNotModified()
    else:
        response = HttpResponse(body, content_type="text/html; charset=utf-8")
    response.headers["ETag"] = etag
    response.headers["X-Live-Seconds"] = str(soon if is_moving else SELDOM_SECONDS)
    return response

"""Security headers that Django 5.2 does not set by itself: the content security policy and the permissions policy.

Strict everywhere: no inline code, no other host, no frame. The console's path is relaxed as far as django-unfold needs it and no
further: its Alpine.js evaluates expressions found in attributes (``unsafe-eval``), and its templates carry inline styles. Inline scripts
stay forbidden there too. A view that needs another policy may set the header itself; the middleware leaves it.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

CONSOLE_PATH = "/console/"
STRICT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
CONSOLE_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)
PERMISSIONS = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()"


class SecurityHeaders:
    """Middleware that adds the two headers to every answer that does not have them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the policy of the path that was asked for."""
        response = self.get_response(request)
        relaxed = request.path_info.startswith(CONSOLE_PATH)
        response.headers.setdefault("Content-Security-Policy", CONSOLE_POLICY if relaxed else STRICT_POLICY)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response

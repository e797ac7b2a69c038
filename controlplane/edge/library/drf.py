"""A throttle for the Django REST framework: views that name it admit whoever the edge would admit.

``request.admission`` then holds the verdict (tenant, key, scopes), and the limits' headers are on every answer, admitted or refused. Settings:
``EDGE_ADMISSION``, a dotted path to a function without arguments that gives the process's :class:`~controlplane.edge.library.admission.Admission`.
A view says what its requests cost by ``admission_cost`` (1), and what they need by ``admission_scopes`` (nothing).
"""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string
from rest_framework.exceptions import APIException, PermissionDenied
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from controlplane.edge.asking import Verdict
from controlplane.edge.library.admission import Admission
from controlplane.edge.presented import key_in
from tenants.keys.codes import Code
from tenants.limits.headers import headers_of, retry_after_seconds

SETTING = "EDGE_ADMISSION"


class CannotSayError(APIException):
    """The edge has not heard from the control plane for longer than it may: nobody is let in on a guess."""

    status_code = 503
    default_detail = "Admission cannot be decided at the moment."
    default_code = "admission-unavailable"
    wait = 1  # DRF makes Retry-After of it


class KeyNotGoodError(APIException):
    """No key, or one that is nobody's. DRF's own would become 403 in a view without authenticators."""

    status_code = 401
    default_detail = "The key is not valid."
    default_code = "unauthorized"
    auth_header = "Bearer"


class AdmissionThrottle(BaseThrottle):
    """Asks the edge about each request. A key that is not good is 401 or 403; a limit that has no room is DRF's 429."""

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Say whether there is room. Raises KeyNotGoodError, PermissionDenied, CannotSayError."""
        verdict = self._admission().admit(
            self._key_in(request),
            cost=getattr(view, "admission_cost", 1),
            scopes=tuple(getattr(view, "admission_scopes", ())),
            address=request.META.get("REMOTE_ADDR", ""),
        )
        request.admission = verdict  # type: ignore[attr-defined]  # for the view
        if verdict.trouble:
            raise CannotSayError
        if verdict.limiting is not None:
            decision = verdict.limiting.decision
            view.headers.update(headers_of(decision))
            self._wait = retry_after_seconds(decision)
        return self._is_admitted(verdict)

    def wait(self) -> float | None:
        """Seconds until asking again makes sense; None when it never will."""
        return self._wait

    @staticmethod
    def _key_in(request: Request) -> str:
        """What came along; WSGI gives headers as Latin-1, and no key of ours has a letter that would need more."""
        api_key, authorization = request.headers.get("X-Api-Key"), request.headers.get("Authorization", "")
        found = key_in(
            None if api_key is None else api_key.encode("latin-1", "replace"), authorization.encode("latin-1", "replace")
        )
        return found.decode("latin-1")

    @staticmethod
    def _is_admitted(verdict: Verdict) -> bool:
        if verdict.code in (Code.NOT_FOUND, Code.EXPIRED, Code.DISABLED):
            raise KeyNotGoodError
        if verdict.code in (Code.FORBIDDEN, Code.INSUFFICIENT_PERMISSIONS):
            raise PermissionDenied("The key may not do this, or not from here.")
        return verdict.is_admitted

    @staticmethod
    @lru_cache(maxsize=1)
    def _admission() -> Admission:
        found: Admission = import_string(getattr(settings, SETTING))()
        return found

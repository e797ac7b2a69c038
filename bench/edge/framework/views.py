"""The same answer by two ways to throttle. A key is looked up once a request, with its tenant."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django_ratelimit.core import get_usage
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView
from rest_framework_api_key.permissions import BaseHasAPIKey, KeyParser

from bench.edge.framework.models import Tenant, TenantKey


def find_tenant(request: HttpRequest) -> Tenant | None:
    text = KeyParser().get(request)
    try:
        key = TenantKey.objects.get_from_key(text) if text else None
    except TenantKey.DoesNotExist:
        return None
    return None if key is None or key.has_expired else key.tenant


class HasTenantKey(BaseHasAPIKey):
    model = TenantKey

    def has_permission(self, request: Any, view: Any) -> bool:
        view.tenant = find_tenant(request)
        return view.tenant is not None


class TenantThrottle(SimpleRateThrottle):
    """The tenant's rate. Its daily quota is not asked: this throttle keeps a list of the times of all requests of the period."""

    rate = "1/s"  # each tenant has its own

    def allow_request(self, request: Request, view: Any) -> bool:
        self.num_requests, self.duration = view.tenant.rate_per_second, 1
        return bool(super().allow_request(request, view))

    def get_cache_key(self, request: Request, view: Any) -> str:
        return f"throttle:{view.tenant.public_id}"


class Throttled(APIView):
    permission_classes = [HasTenantKey]
    throttle_classes = [TenantThrottle]
    tenant: Tenant

    def get_throttles(self) -> list[TenantThrottle]:
        self.throttle = TenantThrottle()
        return [self.throttle]

    def get(self, request: Request) -> Response:
        left = self.throttle.num_requests - len(self.throttle.history)
        return Response({"tenant": self.tenant.public_id}, headers={"X-RateLimit-Remaining": str(left)})


def ratelimited(request: HttpRequest) -> HttpResponse:
    """With django-ratelimit: the tenant's rate and its quota of the day, a counter each."""
    tenant = find_tenant(request)
    if tenant is None:
        return JsonResponse({"detail": "no such key"}, status=401)
    whose = lambda group, request: tenant.public_id  # noqa: E731
    rates = (f"{tenant.rate_per_second}/s", f"{tenant.quota_per_day}/d")
    used = [get_usage(request, group="edge", key=whose, rate=rate, increment=True) for rate in rates]
    if any(one["should_limit"] for one in used):
        return JsonResponse({"detail": "too many"}, status=429, headers={"Retry-After": "1"})
    left = min(one["limit"] - one["count"] for one in used)
    return JsonResponse({"tenant": tenant.public_id}, headers={"X-RateLimit-Remaining": str(left)})


urlpatterns = [path("throttled", Throttled.as_view()), path("ratelimited", ratelimited)]

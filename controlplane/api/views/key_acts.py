"""Acts on keys: rotate, revoke, disable, enable, retire the predecessor, import, and verify."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from controlplane.api.answers import Answer, answer
from controlplane.api.errors import RotatedMeanwhileError
from controlplane.api.idempotency import Claim
from controlplane.api.scopes import Scope
from controlplane.api.serializers import key_requests as requests
from controlplane.api.serializers.keys import IssuedKeyShape, KeyShape
from controlplane.api.views.base import ApiView
from controlplane.api.views.keys import OfKey, issued, shown
from controlplane.api.views.tenants import OfTenant
from tenants.keys import evidence, importing, rotation, selectors, services, verification
from tenants.keys.codes import Code
from tenants.keys.models import ApiKey
from tenants.keys.verification import Verdict


class KeyAct(OfKey):
    """An act on a key that needs only its reason."""

    scopes = {"POST": Scope.KEYS_WRITE}
    open_to_keys = ("POST",)

    def carry_out(self, service: Callable[..., ApiKey], *, calls_aws: bool) -> HttpResponse:
        """Run the act, once, and answer with the key."""
        values = self.read_body(requests.KeyAct)

        def act(_: Claim) -> Answer:
            asked = {"tenant_id": self.find_tenant().pk, "key_id": self.kwargs["key"], "reason": values["reason"]}
            return shown(service(actor=self.caller.actor, within=self.caller.within, **asked))

        return self.once_outside(act) if calls_aws else self.once(act)


class Rotate(OfKey):
    """``/tenants/{tenant}/keys/{key}:rotate``."""

    scopes = {"POST": Scope.KEYS_WRITE}
    open_to_keys = ("POST",)

    @extend_schema(operation_id="rotate_key", request=requests.KeyRotation, responses={201: IssuedKeyShape})
    def post(self, request: Request, tenant: str, key: str) -> HttpResponse:
        """Give a key a new text, and its predecessor an overlap in which both are good. Nothing lengthens either's life."""
        values = self.read_body(requests.KeyRotation)
        seconds = values.pop("overlap_seconds", None)
        overlap = None if seconds is None else timedelta(seconds=seconds)

        def act(claim: Claim) -> Answer:
            tenant_id = self.find_tenant().pk
            _refuse_second(selectors.get_key(tenant_id, key), claim)
            asked: dict[str, Any] = {"tenant_id": tenant_id, "key_id": key, "overlap": overlap, "within": self.caller.within}
            return issued(rotation.rotate_key(actor=self.caller.actor, **asked, **values))

        return self.once_outside(act)


class Revoke(KeyAct):
    """``/tenants/{tenant}/keys/{key}:revoke``."""

    @extend_schema(operation_id="revoke_key", request=requests.KeyAct, responses={200: KeyShape})
    def post(self, request: Request, tenant: str, key: str) -> HttpResponse:
        """End a key for good, with all its versions; its secret is scheduled for deletion."""
        return self.carry_out(services.revoke_key, calls_aws=True)


class RetirePrevious(KeyAct):
    """``/tenants/{tenant}/keys/{key}:retire-previous``."""

    @extend_schema(operation_id="retire_previous_version", request=requests.KeyAct, responses={200: KeyShape})
    def post(self, request: Request, tenant: str, key: str) -> HttpResponse:
        """End the overlap of the last rotation now: the predecessor is refused from here on."""
        return self.carry_out(rotation.retire_previous, calls_aws=True)


class Disable(KeyAct):
    """``/tenants/{tenant}/keys/{key}:disable``."""

    @extend_schema(operation_id="disable_key", request=requests.KeyAct, responses={200: KeyShape})
    def post(self, request: Request, tenant: str, key: str) -> HttpResponse:
        """Refuse a key until it is enabled again. Its time goes on running."""
        return self.carry_out(services.disable_key, calls_aws=False)


class Enable(KeyAct):
    """``/tenants/{tenant}/keys/{key}:enable``."""

    @extend_schema(operation_id="enable_key", request=requests.KeyAct, responses={200: KeyShape})
    def post(self, request: Request, tenant: str, key: str) -> HttpResponse:
        """Accept a disabled key again, for what is left of its life."""
        return self.carry_out(services.enable_key, calls_aws=False)


class Import(OfTenant):
    """``/tenants/{tenant}/keys:import``."""

    scopes = {"POST": Scope.KEYS_WRITE}

    @extend_schema(operation_id="import_key", request=requests.KeyImport, responses={201: KeyShape})
    def post(self, request: Request, tenant: str) -> HttpResponse:
        """Take a key over from elsewhere by the SHA-256 of its text. Its first rotation makes it ours, and stores it."""
        values = self.read_body(requests.KeyImport)

        def act(_: Claim) -> Answer:
            return shown(importing.import_key(actor=self.caller.actor, tenant_id=self.find().pk, **values), status=201)

        return self.once(act)


class Verify(ApiView):
    """``/keys:verify``."""

    scopes = {"POST": Scope.KEYS_VERIFY}
    asks_key = False

    @extend_schema(operation_id="verify_key", request=requests.KeyPresented, responses={200: requests.KeyVerdictShape})
    def post(self, request: Request) -> HttpResponse:
        """Say whether a presented key is good, for what and from where. Always 200: the verdict is in `code`.

        A wrong text, a revoked key and an unknown one are answered alike, with NOT_FOUND. A key that is good is counted as used.
        """
        values = self.read_body(requests.KeyPresented)
        address = values.get("address", "")
        verdict = verification.verify(values["key"], scopes=values.get("scopes", ()), address=address)
        if verdict.is_valid and verdict.version is not None:
            evidence.note_use(verdict.version, address=address)
        return answer(_represent_verdict(verdict), headers={"Cache-Control": "no-store"}).as_response()


def _refuse_second(key: ApiKey, claim: Claim) -> None:
    """Refuse to rotate twice for one request: a process may have died after the promotion and before its answer was kept."""
    since = claim.earlier_try_at
    if since is None:
        return
    made = selectors.list_versions(key).filter(promoted_at__isnull=False, issued_at__gte=since).first()
    if made is not None:
        raise RotatedMeanwhileError(
            f"The answer to an earlier try was lost, and version {made.number} of this key has been issued since. Nothing was done now: "
            "read it from the tenant's Secrets Manager, or rotate under a fresh idempotency key."
        )


def _represent_verdict(verdict: Verdict) -> dict[str, Any]:
    told: dict[str, Any] = {"valid": verdict.is_valid, "code": verdict.code.value, **dict.fromkeys(_OF_A_KNOWN_KEY)}
    key, version = verdict.key, verdict.version
    if key is not None and version is not None and verdict.code is not Code.NOT_FOUND:
        ends_at = min(version.expires_at, version.retires_at or version.expires_at)
        told |= {"key_id": key.pk, "version_id": version.pk, "tenant_id": key.tenant_id, "environment": key.environment}
        told |= {"scopes": key.scopes, "expires_at": ends_at, "name": key.name, "metadata": key.metadata}
    return dict(requests.KeyVerdictShape(told).data)


_OF_A_KNOWN_KEY = ("key_id", "version_id", "tenant_id", "environment", "scopes", "expires_at", "name", "metadata")

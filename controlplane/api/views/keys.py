"""Keys: a tenant's own, all tenants', their lineage, and the policy for leaks. Open to operators, and in part to keys that manage keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from controlplane.api.answers import Answer, answer, json_text
from controlplane.api.errors import RequestStillRunningError
from controlplane.api.idempotency import Claim
from controlplane.api.pagination import BY_ID, BY_NUMBER
from controlplane.api.preconditions import change_if_revision, not_modified_or, revised_etag
from controlplane.api.scopes import Scope
from controlplane.api.serializers import key_requests as requests
from controlplane.api.serializers import keys as shapes
from controlplane.api.serializers.pages import NoQuery
from controlplane.api.views.base import ApiView
from controlplane.api.views.tenants import OfTenant
from core.errors import ConflictError
from tenants import naming
from tenants.keys import evidence, leak_policy, selectors, services
from tenants.keys.making import IssuedKey
from tenants.keys.models import ApiKey, KeyPolicy, KeyVersion
from tenants.selectors import facts_of, get_tenant


def represent(key: ApiKey) -> dict[str, Any]:
    """Give a key as the API shows it, as it stands now."""
    return dict(shapes.KeyShape(selectors.get_key(key.tenant_id, key.pk)).data)


def shown(key: ApiKey, *, status: int = 200) -> Answer:
    """Answer with a key and its ETag; a new one with its place as well."""
    data = represent(key)
    headers = {"ETag": revised_etag(data)}
    if status == 201:
        headers["Location"] = _place(key)
    return answer(data, status=status, headers=headers)


def issued(made: IssuedKey) -> Answer:
    """Answer 201 with the key and its text. What is kept for those who ask again says where the text is, and does not have it."""
    data = represent(made.key)
    secret = naming.key_secret(facts_of(get_tenant(made.key.tenant_id)), made.key.pk)
    where = f"in the tenant's Secrets Manager as {secret}"
    again = f"The key was shown in the first answer only. It is {where}; a rotation gives a new one."
    about = {"key": None, "version": made.version.pk, "secret_name": secret, "note": again}
    kept = answer(
        {**data, "issued": about},
        status=201,
        headers={"Location": _place(made.key), "ETag": revised_etag(data), "Cache-Control": "no-store"},
    )
    if not made.text:
        return kept
    fresh = {**about, "key": made.text, "note": f"This is the only time that the key is shown. It is {where}."}
    return replace(kept, body=json_text({**data, "issued": fresh}), kept_body=kept.body)


class AllKeys(ApiView):
    """``/keys``."""

    scopes = {"GET": Scope.KEYS_READ}

    @extend_schema(operation_id="list_keys", parameters=[shapes.AnyKeyQuery], responses={200: shapes.KeyPage})
    def get(self, request: Request) -> HttpResponse:
        """List the keys of all tenants, the newest first."""
        query = self.read_query(shapes.AnyKeyQuery)
        wanted = {name: query.get(name, "") for name in ("state", "environment")}
        rows = selectors.list_keys(tenant_id=query.get("tenant", ""), **wanted)
        return self.page(query, rows, of="keys", shape=shapes.KeySummaryShape, orderings=BY_ID)


class TenantKeys(OfTenant):
    """``/tenants/{tenant}/keys``."""

    scopes = {"GET": Scope.KEYS_READ, "POST": Scope.KEYS_WRITE}
    open_to_keys = ("GET", "POST")

    @extend_schema(operation_id="list_tenant_keys", parameters=[shapes.KeyQuery], responses={200: shapes.KeyPage})
    def get(self, request: Request, tenant: str) -> HttpResponse:
        """List the keys of a tenant, the newest first."""
        query = self.read_query(shapes.KeyQuery)
        row = self.find()
        rows = selectors.list_keys(tenant_id=row.pk, state=query.get("state", ""), environment=query.get("environment", ""))
        return self.page(query, rows, of=f"keys of {row.pk}", shape=shapes.KeySummaryShape, orderings=BY_ID)

    @extend_schema(operation_id="issue_key", request=requests.KeyIssue, responses={201: shapes.IssuedKeyShape})
    def post(self, request: Request, tenant: str) -> HttpResponse:
        """Issue a key. The answer is the only one with its text; sent again, it says where the text is."""
        values = self.read_body(requests.KeyIssue)

        def act(claim: Claim) -> Answer:
            asked = {"tenant_id": self.find().pk, "reference": claim.reference, "within": self.caller.within, **values}
            try:
                return issued(services.issue_key(actor=self.caller.actor, **asked))
            except ConflictError as error:
                if error.code != "issuing":
                    raise
                raise RequestStillRunningError("An earlier try of this request is still making its key.") from None

        return self.once_outside(act)


class OfKey(OfTenant):
    """Any path below one key of a tenant."""

    def find_key(self) -> ApiKey:
        """Give the key; another tenant's is not found."""
        return selectors.get_key(self.find_tenant().pk, self.kwargs["key"])

    def find_tenant(self) -> Any:
        """Give the tenant."""
        return super().find()

    def find(self) -> Any:
        """Give the key, for whoever may see it and not do this to it."""
        return self.find_key()


class KeyDetail(OfKey):
    """``/tenants/{tenant}/keys/{key}``."""

    scopes = {"GET": Scope.KEYS_READ, "PATCH": Scope.KEYS_WRITE}
    open_to_keys = ("GET", "PATCH")

    @extend_schema(operation_id="get_key", responses={200: shapes.KeyShape})
    def get(self, request: Request, tenant: str, key: str) -> HttpResponse:
        """Show a key. Its text is never shown."""
        self.read_query(NoQuery)
        data = dict(shapes.KeyShape(self.find_key()).data)
        return not_modified_or(request, data, etag=revised_etag(data))

    @extend_schema(operation_id="change_key", request=requests.KeyChange, responses={200: shapes.KeyShape})
    def patch(self, request: Request, tenant: str, key: str) -> HttpResponse:
        """Change what a key is called, may do, from where, and when it ends. Its end may only come nearer."""
        values = self.read_body(requests.KeyChange)
        row = self.find_key()
        return change_if_revision(
            request,
            row.revision,
            represent=represent,
            change=lambda revision: services.edit_key(
                actor=self.caller.actor,
                tenant_id=row.tenant_id,
                key_id=row.pk,
                revision=revision,
                within=self.caller.within,
                **values,
            ),
        )


class KeyVersions(OfKey):
    """``/tenants/{tenant}/keys/{key}/versions``."""

    scopes = {"GET": Scope.KEYS_READ}
    open_to_keys = ("GET",)

    @extend_schema(operation_id="list_key_versions", parameters=[shapes.KeyVersionQuery], responses={200: shapes.KeyVersionPage})
    def get(self, request: Request, tenant: str, key: str) -> HttpResponse:
        """List the versions of a key with what each is still doing, the newest first: its lineage."""
        query = self.read_query(shapes.KeyVersionQuery)
        row = self.find_key()
        return self.page(
            query,
            selectors.list_versions(row),
            of=f"versions of {row.pk}",
            shape=shapes.KeyVersionShape,
            orderings=BY_NUMBER,
            about=_uses,
        )


class TenantKeyPolicy(OfTenant):
    """``/tenants/{tenant}/key-policy``."""

    scopes = {"GET": Scope.KEYS_READ, "PATCH": Scope.KEYS_WRITE}
    shows_one = True

    @extend_schema(operation_id="get_key_policy", responses={200: shapes.KeyPolicyShape})
    def get(self, request: Request, tenant: str) -> HttpResponse:
        """Show what is done with a tenant's keys that are found in public."""
        self.read_query(NoQuery)
        data = _represent_policy(selectors.get_policy(self.find().pk))
        return not_modified_or(request, data, etag=revised_etag(data))

    @extend_schema(operation_id="change_key_policy", request=requests.KeyPolicyChange, responses={200: shapes.KeyPolicyShape})
    def patch(self, request: Request, tenant: str) -> HttpResponse:
        """Decide what is done with a tenant's keys that are found in public."""
        values = self.read_body(requests.KeyPolicyChange)
        row = self.find()
        return change_if_revision(
            request,
            selectors.get_policy(row.pk).revision,
            represent=_represent_policy,
            change=lambda revision: leak_policy.set_leak_action(
                actor=self.caller.actor,
                tenant_id=row.pk,
                action=values["leak_action"],
                revision=revision,
                reason=values.get("reason", ""),
            ),
        )


def _represent_policy(policy: KeyPolicy) -> dict[str, Any]:
    return dict(shapes.KeyPolicyShape(policy).data)


def _uses(rows: Sequence[KeyVersion]) -> Mapping[str, Any]:
    return {"uses": evidence.uses_of([row.pk for row in rows])}


def _place(key: ApiKey) -> str:
    return reverse("api:tenant-key", kwargs={"tenant": key.tenant_id, "key": key.pk})

"""Tenants with an identity provider of their own, and a browser without a screen that goes the whole way: portal, user pool, provider, and back."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from django.test import Client

from provisioning.connections import start_connect
from tenants.members import connections
from tenants.members.connection_inputs import Typed
from tenants.members.models import Connection
from tenants.models import Tenant, Tier
from tests.cast import OPERATOR, finish
from tests.local_provider import CLIENT_ID, CLIENT_SECRET, LocalProvider
from tests.services import StandIn

HOSTED = re.compile(r"https://cp-[0-9a-f]{40}\.auth\.[a-z0-9-]+\.amazoncognito\.com")


def typed(provider: LocalProvider, kind: str = "oidc", **values: str) -> Typed:
    """What an owner types to connect the local provider."""
    if kind == "saml":
        return Typed(**{"kind": "saml", "metadata_xml": provider.metadata, **values})
    given = {"kind": "oidc", "issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return Typed(**{**given, **values})


def connected(tenant: Tenant, provider: LocalProvider, kind: str = "oidc", *, on: bool = False, **values: str) -> Connection:
    """Connect a tenant, carried out to the end; with ``on`` as if it had been tried and switched on."""
    Tier.objects.filter(pk=tenant.tier_id).update(sso_allowed=True)
    tenant.tier.refresh_from_db()
    row = connections.find(tenant.pk)
    operation = start_connect(
        actor=OPERATOR, tenant_id=tenant.pk, mark=row.mark if row else "", typed=typed(provider, kind, **values)
    )
    assert finish(operation).state == "succeeded", operation.error_detail
    row = connections.find(tenant.pk)
    assert row is not None
    if on:
        connections.note_try(actor=OPERATOR, tenant_id=tenant.pk, mark=row.mark, outcome="good")
        row = connections.switch_on(actor=OPERATOR, tenant_id=tenant.pk, mark=row.mark)
    return row


@dataclass
class Traveller:
    """Goes from the portal to the provider and back, one leg at a time."""

    client: Client
    standin: StandIn
    slug: str = "acme"

    def leaves(self, path: str = "sign-in/organisation/", **fields: str) -> str:
        """Give the address that the portal sends the browser to."""
        answer = self.client.post(f"/portal/{self.slug}/{path}", fields)
        assert answer.status_code == 200, answer.content.decode()
        found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.content.decode())
        assert found is not None
        return html.unescape(found[1])

    def travels(self, address: str) -> dict[str, str]:
        """Go from the hosted endpoint to the provider and back, and give the query with which the portal is called."""
        with httpx.Client(follow_redirects=False) as http:
            answer = http.get(address)
            for _ in range(6):
                assert answer.status_code in (200, 302), answer.text
                if answer.status_code == 200:
                    answer = self._post_form(http, answer.text)
                    continue
                target = answer.headers["Location"]
                if "/sign-in/organisation/callback/" in target:
                    return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
                answer = http.get(self.mapped(target))
        raise AssertionError("it never came back")

    def mapped(self, address: str) -> str:
        """Where the stand-in answers for AWS's own domain."""
        return HOSTED.sub(self.standin.endpoint_url, address)

    def _post_form(self, http: httpx.Client, page: str) -> httpx.Response:
        action = re.search(r'action="([^"]+)"', page)
        fields = dict(re.findall(r'name="(\w+)" value="([^"]+)"', page))
        assert action is not None
        return http.post(self.mapped(html.unescape(action[1])), data={name: html.unescape(value) for name, value in fields.items()})

    def arrives(self, query: dict[str, str]) -> Any:
        """Come back to the portal with this query."""
        return self.client.get(f"/portal/{self.slug}/sign-in/organisation/callback/", query)

    def goes(self, path: str = "sign-in/organisation/", **fields: str) -> Any:
        """The whole way."""
        return self.arrives(self.travels(self.leaves(path, **fields)))

"""A cell of one's own in the stand-in, a small engine without a database, and a hand that changes things behind the product's back."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import boto3
from botocore.config import Config

from core.aws.session import Aws, Target, connect
from core.ids import new_id
from provisioning.isolation import policies
from provisioning.isolation.documents import as_text
from provisioning.resources import KINDS
from provisioning.resources.base import Desired, Ensured, Known, Observed, Removed
from tenants.facts import Capabilities, CellFacts, ConnectionFacts, IsolationModel, TenantFacts, TierFacts
from tenants.members.connection_details import digest_of
from tenants.naming import names_of_cell
from tests.services import REGION

STANDIN = Capabilities(**dict.fromkeys(Capabilities.__slots__, False))
TIERS = {
    IsolationModel.POOL: TierFacts("basic", IsolationModel.POOL, 14),
    IsolationModel.BRIDGE: TierFacts("standard", IsolationModel.BRIDGE, 30),
    IsolationModel.SILO: TierFacts("premium", IsolationModel.SILO, 90),
    IsolationModel.SOVEREIGN: TierFacts("sovereign", IsolationModel.SOVEREIGN, 365),
}
POOL, BRIDGE, SILO = IsolationModel.POOL, IsolationModel.BRIDGE, IsolationModel.SILO
_numbers = itertools.count(1)


OIDC = {
    "oidc_issuer": "https://idp.example",
    "client_id": "acme",
    "authorize_scopes": "openid email",
    "attributes_request_method": "GET",
}
SAML = {"MetadataURL": "https://idp.example/metadata"}
SECRET = "client-secret-of-nobody"


def connection(kind: str = "oidc", *, mark: str = "con_1", **changes: str) -> ConnectionFacts:
    """A connection of a kind, as a saved one looks to the engine."""
    details = {**(OIDC if kind == "oidc" else SAML), **changes}
    mapping = (("email", "email"), ("name", "name")) if kind == "oidc" else (("email", "mail"),)
    url = "https://portal.example/portal/acme/sign-in/organisation/callback/"
    return ConnectionFacts(kind, mark, tuple(sorted(details)), digest_of(details, details), mapping, url)


@functools.cache
def _root_client(endpoint_url: str, service: str) -> Any:
    make: Any = boto3.Session("test", "test", region_name=REGION).client
    return make(service, endpoint_url=endpoint_url, config=Config(s3={"addressing_style": "path"}))


Rows = dict[tuple[str, str], Mapping[str, Any]]


def tenant_facts(cell: CellFacts, model: IsolationModel, *, state: str = "active", **values: Any) -> TenantFacts:
    """A tenant that nobody else has."""
    facts = TenantFacts(new_id("tnt"), "acme", "Acme", state, TIERS[model], cell, "Ada@acme.example", "Ada Löwe")
    return replace(facts, **values)


@dataclass
class World:
    """One cell under its own control plane's role. ``shared`` and ``rows`` are what a ledger would hold."""

    endpoint_url: str
    account_id: str
    cell: CellFacts = field(init=False)
    aws: Aws = field(init=False)
    shared: Rows = field(default_factory=dict)
    rows: dict[str, Rows] = field(default_factory=dict)
    sealed: dict[str, dict[str, str]] = field(default_factory=lambda: {"con_1": {**OIDC, "client_secret": SECRET}})

    def __post_init__(self) -> None:
        self.cell = CellFacts("cell_x", f"t{next(_numbers)}", "dev", "aws", REGION, self.account_id, capabilities=STANDIN)
        iam, role = self.hand("iam"), names_of_cell(self.cell).control_plane_role
        trust = policies.control_plane_trust(self.cell, f"arn:aws:iam::{self.account_id}:root")
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=as_text(trust))
        iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=as_text(policies.provisioner_policy(self.cell)))
        place = connect(Target("aws", REGION, self.account_id, "", self.endpoint_url), session_name="tests")
        given = place.with_credentials("test", "test").sts.assume_role(
            names_of_cell(self.cell).control_plane_role_arn, session_name="tests"
        )
        self.aws = place.with_credentials(given.access_key, given.secret_key, given.token)

    def hand(self, service: str) -> Any:
        """A client with the account's root key: somebody who changes things behind the product's back."""
        return _root_client(self.endpoint_url, service)

    def known(self, item: Desired, tenant: TenantFacts | None, *, fresh: bool = False) -> Known:
        """What the engine would let a step know."""
        rows = self.shared if tenant is None else self.rows.setdefault(tenant.id, {})
        shared = {} if tenant is None else self.shared
        this = rows.get((item.kind, item.name), {})
        return Known(this=this, owned=rows, shared=shared, fresh=fresh, sealed=self.sealed.__getitem__)

    def ensure(self, item: Desired, tenant: TenantFacts | None = None, *, fresh: bool = False) -> Mapping[str, Any]:
        """Ensure until it no longer asks to wait, and record what it gave."""
        for _ in range(20):
            known = self.known(item, tenant, fresh=fresh)
            answer = KINDS[item.kind].ensure(self.aws, item.spec, known)
            rows = self.shared if tenant is None else self.rows[tenant.id]
            rows[item.kind, item.name] = {**known.this, **answer.attributes}
            if isinstance(answer, Ensured):
                return rows[item.kind, item.name]
            fresh = False
        raise AssertionError(f"{item.kind} still waits")

    def observe(self, item: Desired, tenant: TenantFacts | None = None) -> Observed:
        """Read one thing back."""
        return KINDS[item.kind].observe(self.aws, item.spec, self.known(item, tenant))

    def remove(self, item: Desired, tenant: TenantFacts | None = None) -> None:
        """Remove until it no longer asks to wait."""
        for _ in range(20):
            if isinstance(KINDS[item.kind].remove(self.aws, item.spec, self.known(item, tenant)), Removed):
                return
        raise AssertionError(f"{item.kind} still waits")

    def desired(self, tenant: TenantFacts) -> dict[str, Desired]:
        """What the tenant should have, by kind."""
        return {item.kind: item for kind in KINDS.values() for item in kind.shape(tenant)}

    def desired_shared(self) -> dict[str, Desired]:
        """What the cell should share, by kind."""
        return {item.kind: item for kind in KINDS.values() for item in kind.cell_shape(self.cell)}

    def prepare(self, *kinds: str) -> None:
        """Make what the cell shares: everything, or these kinds."""
        for kind, item in self.desired_shared().items():
            if not kinds or kind in kinds:
                self.ensure(item)

    def onboard(self, tenant: TenantFacts, *, until: str = "", fresh: bool = True) -> dict[str, Desired]:
        """Make what the tenant should have, up to and with the kind ``until``, each read back as promised."""
        wanted = self.desired(tenant)
        for kind, item in wanted.items():
            self.ensure(item, tenant, fresh=fresh)
            seen = self.observe(item, tenant)
            assert seen.is_as_promised, (kind, seen)
            if kind == until:
                break
        return wanted

    def tenant(self, model: IsolationModel, **values: Any) -> TenantFacts:
        """A tenant of this cell that nobody else has."""
        return tenant_facts(self.cell, model, **values)

"""Tenants that have keys: rows in a cell of the stand-in, without the rest of what an onboarding makes; and eyes on the store."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import boto3
from django.utils import timezone

from core.actors import operator
from tenants.keys import staging
from tenants.keys.models import Algorithm, ApiKey, KeyVersion, new_key_id
from tenants.keys.verification import Code, verify
from tenants.models import Cell, Tenant
from tenants.naming import key_secret
from tenants.seed import seed_cell, seed_tiers
from tenants.selectors import facts_of
from tenants.slugs import skeleton_of
from tests.services import REGION, StandIn

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing

OLGA = operator("olga", "Olga")
_numbers = itertools.count(1)


def keyed_cell(footing: Footing, standin: StandIn) -> Cell:
    """The embedded cell as a row, ready for tenants; what tenants share is not made, because keys do not need it."""
    from controlplane.embedded.bootstrap import CELL_CODE, ENVIRONMENT, PARTITION, STANDIN_CAPABILITIES

    seed_tiers()
    cell = seed_cell(
        code=CELL_CODE,
        environment=ENVIRONMENT,
        partition=PARTITION,
        region=REGION,
        account_id=standin.account_id,
        role_arn=footing.role_arn,
        capabilities=asdict(STANDIN_CAPABILITIES),
    )
    Cell.objects.filter(pk=cell.pk).update(state="ready")
    cell.refresh_from_db()
    return cell


def new_tenant(cell: Cell, slug: str = "", *, tier: str = "basic", state: str = "active") -> Tenant:
    """A tenant in a state, past its onboarding."""
    slug = slug or f"tenant-{next(_numbers)}"
    tenant = Tenant.objects.create(
        slug=slug,
        skeleton=skeleton_of(slug),
        name=slug.title(),
        tier_id=tier,
        cell=cell,
        state=state,
        admin_email=f"admin@{slug}.example",
        state_changed_at=timezone.now(),
    )
    return Tenant.objects.select_related("tier", "cell").get(pk=tenant.pk)


class StoreEyes:
    """What is really in the stand-in's Secrets Manager, read with the account's root key and not with the product's code."""

    def __init__(self, endpoint_url: str) -> None:
        make: Any = boto3.Session("test", "test", region_name=REGION).client
        self.client: Any = make("secretsmanager", endpoint_url=endpoint_url)

    def stages(self, key: ApiKey) -> dict[str, str]:
        """Give the version id that bears each stage; empty when there is no secret, or it waits for its deletion."""
        name = key_secret(facts_of(key.tenant), key.pk)
        try:
            found = self.client.describe_secret(SecretId=name)
        except self.client.exceptions.ResourceNotFoundException:
            return {}
        if found.get("DeletedDate"):
            return {}
        return {stage: version for version, stages in found["VersionIdsToStages"].items() for stage in stages}

    def text(self, key: ApiKey, stage: str = staging.CURRENT) -> str:
        """Give the text that bears a stage."""
        name = key_secret(facts_of(key.tenant), key.pk)
        return str(self.client.get_secret_value(SecretId=name, VersionStage=stage).get("SecretString"))

    def current_text(self, key: ApiKey) -> str:
        """Give what a workload is handed out that asks for the key now; empty when it is handed out nothing."""
        name = key_secret(facts_of(key.tenant), key.pk)
        try:
            return str(self.client.get_secret_value(SecretId=name, VersionStage=staging.CURRENT).get("SecretString") or "")
        except (self.client.exceptions.ResourceNotFoundException, self.client.exceptions.InvalidRequestException):
            return ""

    def secrets_of(self, tenant: Tenant) -> list[str]:
        """Give the ids of the keys that have a secret in the store, but for those that wait for their deletion."""
        path = key_secret(facts_of(tenant), new_key_id()).rpartition("/")[0] + "/"
        found = self.client.list_secrets(Filters=[{"Key": "name", "Values": [path]}], MaxResults=100)["SecretList"]
        return sorted(item["Name"].removeprefix(path) for item in found if not item.get("DeletedDate"))

    def faults(self, key: ApiKey) -> list[str]:
        """Hold database and store against each other: every difference that must not be there once all is settled."""
        key = ApiKey.objects.select_related("tenant__tier", "tenant__cell").get(pk=key.pk)
        stages, found = self.stages(key), []
        open_versions = KeyVersion.objects.filter(key=key, algorithm=Algorithm.OURS, stage__in=staging.STAGE_OF)
        wanted = staging.wanted_stages(open_versions.values_list("pk", "stage"))
        if stages != wanted:
            found.append(f"the store has {stages}, the rows want {wanted}")
        handed_out = [stage for stage in (staging.CURRENT, staging.PREVIOUS) if stage in stages and key.state == "active"]
        refused = [stage for stage in handed_out if verify(self.text(key, stage)).code is not Code.VALID]
        return [*found, *(f"what the store hands out as {stage} does not verify" for stage in refused)]

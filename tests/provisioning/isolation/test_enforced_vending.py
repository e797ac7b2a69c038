"""Vending against the stand-in: who may take a tenant's role, under which tag and name, and when it stops."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.actors import operator
from core.aws.errors import AwsAccessDeniedError
from core.errors import InvalidInputError
from provisioning.isolation import policies
from provisioning.isolation.documents import as_text
from provisioning.isolation.vending import TenantNotServedError, vend
from tenants import naming
from tenants.facts import IsolationModel
from tests.provisioning.isolation.doors import DENIED
from tests.provisioning.isolation.world import MODELS, Clients, World, furnish_tenant, tenant_of

ADA = operator("ada")
POOL, BRIDGE, SILO = MODELS


def _assume(clients: Clients, role_arn: str, *, tag: str | None, name: str, **more: Any) -> str:
    """Ask STS directly, past ``vend``; the error code, or empty when the session was given out."""
    tags = {} if tag is None else {"Tags": [{"Key": naming.TAG_TENANT, "Value": tag}, *more.pop("also", ())]}
    try:
        clients.sts.assume_role(RoleArn=role_arn, RoleSessionName=name, **tags, **more)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.mark.parametrize("model", MODELS)
def test_the_session_tells_tenant_and_actor(world: World, model: IsolationModel) -> None:
    identity = world.clients[model, 1].sts.get_caller_identity()
    assert identity["Arn"].endswith(f"/{world.places[model, 1].tenant.id}@operator.ada")


@pytest.mark.parametrize("state", ["requested", "provisioning", "suspended", "offboarding", "closed"])
@pytest.mark.parametrize("model", MODELS)
def test_only_active_tenants_get_credentials(world: World, model: IsolationModel, state: str) -> None:
    with pytest.raises(TenantNotServedError):
        vend(world.aws, tenant_of(model, 1, state=state), ADA)


@pytest.mark.parametrize("seconds", [0, 899, 3601])
def test_a_duration_that_sts_refuses_is_refused_here(world: World, seconds: int) -> None:
    with pytest.raises(InvalidInputError):
        vend(world.aws, tenant_of(POOL, 1), ADA, duration_seconds=seconds)


@pytest.mark.parametrize("model", MODELS)
def test_a_role_is_given_for_its_own_tag_and_name_only(world: World, model: IsolationModel) -> None:
    mine, other = world.places[model, 1], world.places[model, 2]
    role, name = mine.names.access_role_arn, naming.session_name(mine.tenant.id, ADA)
    someone = {"Key": "controlplane:tier", "Value": "x"}
    assert _assume(world.provisioner, role, tag=mine.tenant.id, name=name) == ""
    assert _assume(world.provisioner, role, tag=None, name=name) in DENIED
    assert _assume(world.provisioner, role, tag=mine.tenant.id, name="anonymous") in DENIED
    assert _assume(world.provisioner, role, tag=mine.tenant.id, name=name, also=[someone]) in DENIED
    assert _assume(world.provisioner, role, tag="tnt_*", name=name) in DENIED | {"ValidationError"}
    if model is not POOL:
        assert _assume(world.provisioner, role, tag=other.tenant.id, name=name) in DENIED


@pytest.mark.parametrize("model", MODELS)
def test_nobody_but_the_control_plane_takes_a_role(world: World, model: IsolationModel) -> None:
    place = world.places[model, 1]
    name = naming.session_name(place.tenant.id, ADA)
    for neighbour in MODELS:
        assert _assume(world.clients[neighbour, 2], place.names.access_role_arn, tag=place.tenant.id, name=name) in DENIED


@pytest.mark.parametrize("model", [BRIDGE, SILO])
def test_suspension_ends_a_live_session(world: World, model: IsolationModel) -> None:
    place = furnish_tenant(world.root, tenant_of(model, 5), world.places[POOL, 1].key_id)
    given = vend(world.aws, place.tenant, ADA)
    live = Clients(world.endpoint_url, given.access_key, given.secret_key, given.token)
    wanted = {"Bucket": place.names.storage_bucket, "Key": f"{place.names.storage_prefix}object"}
    assert live.s3.get_object(**wanted)["Body"].read() == b"data"
    document = policies.role_policy(tenant_of(model, 5, state="suspended"))
    world.provisioner.iam.put_role_policy(RoleName=place.names.access_role, PolicyName="access", PolicyDocument=as_text(document))
    with pytest.raises(ClientError, match="AccessDenied"):
        live.s3.get_object(**wanted)


def test_a_missing_role_is_an_access_denied(world: World) -> None:
    with pytest.raises(AwsAccessDeniedError):
        vend(world.aws, tenant_of(BRIDGE, 6), ADA)

"""What was made can be used by its tenant, with vended credentials, and by no neighbour; and not while the tenant is suspended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from core.actors import system
from core.aws.errors import AwsAccessDeniedError
from core.aws.session import Aws
from provisioning.isolation.vending import vend
from tenants.facts import IsolationModel, TenantFacts
from tenants.naming import names_of
from tests.provisioning.resources.world import POOL, World

MODELS = list(IsolationModel)
ACTOR = system("tests")


@pytest.fixture(scope="module")
def people(town: World) -> dict[IsolationModel, TenantFacts]:
    made = {model: town.tenant(model) for model in MODELS}
    for tenant in made.values():
        town.onboard(tenant)
    return made


def credentials(world: World, tenant: TenantFacts) -> Aws:
    given = vend(world.aws, tenant, ACTOR)
    return world.aws.with_credentials(given.access_key, given.secret_key, given.token)


def uses(tenant: TenantFacts) -> list[Callable[[Aws], object]]:
    """One use of each thing that the tenant has."""
    names = names_of(tenant)
    item = {"pk": names.leading_key, "sk": "one"}
    return [
        lambda aws: aws.s3.put_object(names.storage_bucket, f"{names.storage_prefix}one", b"x"),
        lambda aws: aws.s3.list_objects(names.storage_bucket, prefix=names.storage_prefix),
        lambda aws: aws.dynamodb.put_item(names.data_table, item),
        lambda aws: aws.secretsmanager.find_secret(names.api_secret),
    ]


@pytest.mark.parametrize("model", MODELS)
def test_its_own_and_no_neighbours(town: World, people: dict[IsolationModel, TenantFacts], model: IsolationModel) -> None:
    mine = credentials(town, people[model])
    for use in uses(people[model]):
        use(mine)
    neighbours = [people[other] for other in MODELS if other is not model] + [town.tenant(POOL), town.tenant(IsolationModel.BRIDGE)]
    for neighbour in neighbours:
        for number, use in enumerate(uses(neighbour)):
            if number == 2 and {model, neighbour.tier.isolation_model} <= {POOL, IsolationModel.BRIDGE}:
                continue  # the shared table: the stand-in does not fill dynamodb:LeadingKeys in (docs/fidelity.md)
            with pytest.raises(AwsAccessDeniedError):
                use(mine)


@pytest.mark.parametrize("model", [model for model in MODELS if model is not POOL])
def test_a_suspension_ends_what_was_given_out_before(
    town: World, people: dict[IsolationModel, TenantFacts], model: IsolationModel
) -> None:
    tenant = people[model]
    mine = credentials(town, tenant)
    for item in town.desired(replace(tenant, state="suspended")).values():
        town.ensure(item, tenant)
    for use in uses(tenant):
        with pytest.raises(AwsAccessDeniedError):
            use(mine)
    for item in town.desired(tenant).values():
        town.ensure(item, tenant)
    for use in uses(tenant):
        use(mine)

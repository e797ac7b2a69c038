"""With IAM enforced: a tenant's own workload reads its keys from the store, a neighbour's does not, and the control plane cannot either."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError
from django.utils import timezone

from tenants import clouds
from tenants.facts import IsolationModel
from tenants.keys import rotation, services
from tenants.keys.making import IssuedKey
from tenants.models import Cell, Tenant
from tenants.naming import key_secret, names_of
from tenants.seed import seed_cell, seed_tiers
from tenants.selectors import facts_of
from tests.provisioning.isolation.world import CELL, MODELS, Clients, World, furnish
from tests.services import StandIn
from tests.tenants.keys.world import OLGA

pytestmark = pytest.mark.django_db(transaction=True)
TIERS = {IsolationModel.POOL: "basic", IsolationModel.BRIDGE: "standard", IsolationModel.SILO: "premium"}
Who = tuple[IsolationModel, int]


@dataclass
class Town:
    """The furnished cell, its tenants as rows, and a key of each."""

    world: World
    tenants: dict[Who, Tenant]
    keys: dict[Who, IssuedKey]

    def secret_of(self, who: Who) -> str:
        return key_secret(facts_of(self.tenants[who]), self.keys[who].key.pk)

    def read(self, reader: Clients, whose: Who, stage: str = "AWSCURRENT") -> str:
        return str(reader.secretsmanager.get_secret_value(SecretId=self.secret_of(whose), VersionStage=stage)["SecretString"])


@pytest.fixture(scope="module")
def furnished(standin: StandIn) -> World:
    world = furnish(standin.endpoint_url)
    for (model, _), place in world.places.items():
        if model.has_own_pool:
            world.root.kms.create_alias(AliasName=names_of(place.tenant).key_alias, TargetKeyId=place.key_id)
    return world


@pytest.fixture
def town(furnished: World, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setattr(clouds, "connect_to", lambda *_, **__: furnished.aws)
    seed_tiers()
    cell = seed_cell(
        code=CELL.code,
        environment=CELL.environment,
        partition=CELL.partition,
        region=CELL.region,
        account_id=CELL.account_id,
        role_arn="",
        capabilities=asdict(CELL.capabilities),
    )
    tenants = {who: as_row(cell, place.tenant.id, place.tenant.slug, TIERS[who[0]]) for who, place in furnished.places.items()}
    keys = {who: services.issue_key(actor=OLGA, tenant_id=tenant.pk, name="ingest") for who, tenant in tenants.items()}
    return Town(furnished, tenants, keys)


def as_row(cell: Cell, tenant_id: str, slug: str, tier: str) -> Tenant:
    tenant = Tenant.objects.create(
        id=tenant_id,
        slug=slug,
        skeleton=slug,
        name=slug,
        tier_id=tier,
        cell=cell,
        state="active",
        admin_email="a@example.com",
        state_changed_at=timezone.now(),
    )
    return Tenant.objects.select_related("tier", "cell").get(pk=tenant.pk)


def is_refused(reader: Clients, town: Town, whose: Who, stage: str = "AWSCURRENT") -> bool:
    try:
        town.read(reader, whose, stage)
    except ClientError as error:
        return error.response["Error"]["Code"] == "AccessDeniedException"
    return False


def test_a_workload_reads_its_own_keys_and_no_neighbour_s(town: Town) -> None:
    for who, client in town.world.clients.items():
        assert town.read(client, who) == town.keys[who].text, who
        for neighbour in town.tenants:
            assert (neighbour == who) or is_refused(client, town, neighbour), (who, neighbour)


@pytest.mark.parametrize("model", MODELS)
def test_after_a_rotation_a_workload_reads_the_successor(town: Town, model: IsolationModel) -> None:
    who, neighbour = (model, 1), (model, 2)
    first = town.keys[who]
    second = rotation.rotate_key(
        actor=OLGA, tenant_id=first.key.tenant_id, key_id=first.key.pk, overlap=timedelta(hours=1), reason="due"
    )
    assert town.read(town.world.clients[who], who) == second.text
    assert town.read(town.world.clients[who], who, "AWSPREVIOUS") == first.text
    assert is_refused(town.world.clients[neighbour], town, who)
    assert is_refused(town.world.clients[neighbour], town, who, "AWSPREVIOUS")


def test_the_control_plane_itself_cannot_read_what_it_wrote(town: Town) -> None:
    for who in town.tenants:
        assert is_refused(town.world.provisioner, town, who), who
        assert town.world.provisioner.secretsmanager.describe_secret(SecretId=town.secret_of(who))["VersionIdsToStages"]


def test_a_workload_can_neither_change_nor_delete_its_keys(town: Town) -> None:
    for who, client in town.world.clients.items():
        secret = town.secret_of(who)
        for act in (
            lambda client=client, secret=secret: client.secretsmanager.put_secret_value(SecretId=secret, SecretString="mine"),
            lambda client=client, secret=secret: client.secretsmanager.delete_secret(SecretId=secret, RecoveryWindowInDays=7),
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                act()
        assert town.read(client, who) == town.keys[who].text

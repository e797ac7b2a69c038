"""AWS names: their shapes and limits, their partitions, and facts from which no name may be made."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from core.actors import Actor, ActorKind, operator, system
from tenants import naming
from tenants.facts import CellFacts, IsolationModel, TenantFacts, TierFacts
from tenants.naming import UnsafeNameError, names_of, names_of_cell, session_name
from tenants.partitions import console_url, endpoint_host, partition_names, partition_of, service_principal

CELL = CellFacts("cell_1", "prod", "production", "aws", "eu-central-1", "123456789012")
ID = "tnt_01j9zc3v5m8k2q4r6t8w0y1a3b"
REGION_OF = {
    "aws": "eu-central-1",
    "aws-us-gov": "us-gov-west-1",
    "aws-cn": "cn-northwest-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
}
BUCKET = re.compile(
    r"(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9][a-z0-9-]{1,61}[a-z0-9](?<!-s3alias)(?<!--ol-s3)(?<!--x-s3)(?<!--table-s3)"
)
SHAPES = {
    "user_pool": re.compile(r"[\w\s+=,.@-]{1,128}"),
    "app_client": re.compile(r"[\w\s+=,.@-]{1,128}"),
    "group": re.compile(r"\S{1,128}"),
    "role": re.compile(r"[\w+=,.@-]{1,64}"),
    "bucket": BUCKET,
    "storage_bucket": BUCKET,
    "table": re.compile(r"[a-zA-Z0-9_.-]{3,255}"),
    "key_alias": re.compile(r"alias/(?!aws/)[a-zA-Z0-9/_-]{1,250}"),
    "secret_path": re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}/"),
    "log_group": re.compile(r"[a-zA-Z0-9_/.#-]{1,512}"),
    "stack": re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,127}"),
    "storage_prefix": re.compile(r"tenants/[a-z0-9_]+/"),
    "access_role": re.compile(r"[\w+=,.@-]{1,64}"),
}


def tenant(model: IsolationModel = IsolationModel.POOL, cell: CellFacts = CELL, **changes: Any) -> TenantFacts:
    facts = TenantFacts(ID, "acme", "Acme", "active", TierFacts("any", model), cell, "a@example.com")
    return dataclasses.replace(facts, **changes)


@pytest.mark.parametrize("partition", partition_names())
@pytest.mark.parametrize("model", IsolationModel)
def test_every_name_fits_its_service(model: IsolationModel, partition: str) -> None:
    cell = dataclasses.replace(CELL, code="a" * 20, partition=partition, region=REGION_OF[partition])
    names = dataclasses.asdict(names_of(tenant(model, cell)))
    for field, shape in SHAPES.items():
        assert shape.fullmatch(names[field]), (field, names[field])
    assert BUCKET.fullmatch(names_of_cell(cell).bucket)
    arns = [value for field, value in (names | dataclasses.asdict(names_of_cell(cell))).items() if field.endswith("_arn")]
    assert len(arns) > 8
    assert {value.split(":")[1] for value in arns} == {partition}


def test_nothing_that_people_typed_is_in_a_name() -> None:
    nasty = tenant(slug="zz-slug", name="ZZ ${aws:username}/../*?", admin_email="zz@example.com", admin_name="zz")
    assert names_of(nasty) == names_of(tenant())


def test_where_the_data_is_follows_the_model() -> None:
    pool, bridge, silo = (names_of(tenant(model)) for model in (IsolationModel.POOL, IsolationModel.BRIDGE, IsolationModel.SILO))
    shared = names_of_cell(CELL)
    assert pool.storage_bucket == bridge.storage_bucket == shared.bucket
    assert (pool.data_table, bridge.data_table, silo.data_table) == (shared.table, shared.table, silo.table)
    assert (pool.access_role, bridge.access_role) == (shared.access_role, bridge.role)
    assert silo.storage_bucket == silo.bucket
    assert pool.storage_prefix == bridge.storage_prefix == silo.storage_prefix
    assert len({shared.access_role, bridge.access_role, silo.access_role}) == 3


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "acme",
        "tnt_",
        "tnt_*",
        ID.upper(),
        f"{ID}/",
        f"{ID}*",
        ID[:-1],
        f"{ID}0",
        "tnt_01j9zc3v5m8k2q4r6t8w0y1a3i",
        f" {ID}",
        f"{ID}\n",
    ],
)
def test_an_id_that_is_not_one_makes_no_name(bad: str) -> None:
    with pytest.raises(UnsafeNameError):
        names_of(tenant(id=bad))
    with pytest.raises(UnsafeNameError):
        session_name(bad, operator("ada"))


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("code", ""),
        ("code", "Prod"),
        ("code", "1prod"),
        ("code", "prod-"),
        ("code", "prod--eu"),
        ("code", "prod/eu"),
        ("code", "prod*"),
        ("code", "p" * 21),
        ("code", "prod\n"),
        ("partition", "aws-moon"),
        ("partition", "*"),
        ("region", "*"),
        ("region", "eu-central"),
        ("region", "eu-central-1\n"),
        ("account_id", "12345678901"),
        ("account_id", "١٢٣٤٥٦٧٨٩٠١٢"),  # Arabic digits
        ("role_arn", "arn:aws:iam::123456789012:role/*"),
        ("role_arn", "arn:aws-cn:iam::123456789012:role/x"),
        ("role_arn", "arn:aws:iam::123456789012:user/x"),
    ],
)
def test_a_cell_that_could_widen_a_pattern_makes_no_name(field: str, bad: str) -> None:
    with pytest.raises(UnsafeNameError):
        names_of_cell(dataclasses.replace(CELL, **{field: bad}))


def test_a_cell_may_name_its_own_role() -> None:
    role = f"arn:{CELL.partition}:iam::210987654321:role/team/control"
    assert names_of_cell(dataclasses.replace(CELL, role_arn=role)).control_plane_role_arn == role


@pytest.mark.parametrize(
    "actor",
    [operator("ada"), system("sweep"), Actor(ActorKind.HOOK, "x" * 300), Actor(ActorKind.MEMBER, "ünï @/*${}\n"), operator("a b")],
)
def test_a_session_name_fits_and_tells_who(actor: Actor) -> None:
    name = session_name(ID, actor)
    assert re.fullmatch(r"[A-Za-z0-9_=,.@-]{2,64}", name)
    assert name.startswith(f"{ID}@{actor.kind}.")


def test_two_actors_never_share_a_session_name() -> None:
    ids = ["a b", "a/b", "a-b", "a*b", "x" * 100 + "1", "x" * 100 + "2"]
    assert len({session_name(ID, operator(identity)) for identity in ids}) == len(ids)


def test_partitions() -> None:
    def at(partition: str) -> CellFacts:
        return dataclasses.replace(CELL, partition=partition, region=REGION_OF[partition])

    assert partition_of("aws-moon") is None
    assert service_principal(at("aws"), "logs") == "logs.eu-central-1.amazonaws.com"
    assert service_principal(at("aws-cn"), "logs") == "logs.cn-northwest-1.amazonaws.com.cn"
    assert service_principal(at("aws-cn"), "lambda") == "lambda.amazonaws.com"
    assert service_principal(at("aws-cn"), "ec2") == "ec2.amazonaws.com.cn"
    assert endpoint_host(at("aws-iso-b"), "s3") == "s3.us-isob-east-1.sc2s.sgov.gov"
    assert endpoint_host(at("aws-iso"), "s3") == "s3.us-iso-east-1.c2s.ic.gov"
    assert console_url(at("aws-us-gov"), "s3") == "https://console.amazonaws-us-gov.com/s3"


def test_suffixes_are_botocores() -> None:
    import json
    from pathlib import Path

    import botocore

    known = json.loads((Path(botocore.__file__).parent / "data" / "endpoints.json").read_text())["partitions"]
    suffixes = {one["partition"]: one["dnsSuffix"] for one in known}
    for name in partition_names():
        found = partition_of(name)
        assert found is not None
        assert found.dns_suffix == suffixes[name]
        regions = next(one["regions"] for one in known if one["partition"] == name)
        for region in regions:
            names_of_cell(dataclasses.replace(CELL, partition=name, region=region))


def test_tags_are_the_conventions() -> None:
    assert (naming.TAG_TENANT, naming.TAG_MANAGED_BY) == ("controlplane:tenant", "controlplane:managed-by")

"""What holds for every document: version, characters, length, partition, and what must be in none of them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import botocore.session
import hypothesis.strategies as st
import pytest
from hypothesis import given

from core.ids import ALPHABET
from provisioning.isolation import policies
from provisioning.isolation.access import ITEM_ACTIONS
from provisioning.isolation.documents import (
    INLINE_LIMIT,
    KEY_PLACEHOLDER,
    MANAGED_LIMIT,
    SESSION_LIMIT,
    Document,
    MalformedPolicyError,
    PolicyTooLargeError,
    as_text,
    document,
    fill_key,
    statement,
)
from provisioning.isolation.patterns import matches
from tenants.facts import Capabilities, CellFacts, IsolationModel, TenantFacts, TierFacts
from tests.provisioning.isolation.aws_cell import CELLS, MODELS, tenant

STANDIN = dataclasses.replace(CELLS[0], capabilities=Capabilities(**dict.fromkeys(Capabilities.__slots__, False)))
EVERYWHERE = (*CELLS, STANDIN)
REGIONS = ("ap-southeast-2", "us-gov-east-1", "cn-northwest-1", "us-iso-east-1", "us-isob-east-1")


def documents_of(cell: CellFacts) -> Iterator[tuple[str, Document]]:
    """Every document there is, by name."""
    yield "pool role", policies.pool_role_policy(cell)
    yield "pool trust", policies.pool_role_trust(cell)
    yield "boundary", policies.boundary_policy(cell)
    yield "provisioner", policies.provisioner_policy(cell)
    yield "control plane trust", policies.control_plane_trust(cell, f"arn:{cell.partition}:iam::{cell.account_id}:user/base")
    yield "base user", policies.base_user_policy([cell])
    yield "shared bucket", policies.shared_bucket_policy(cell)
    yield "shared key", policies.shared_key_policy(cell)
    yield "suspended", policies.suspended_policy()
    yield "session", policies.pool_session_policy(tenant(IsolationModel.POOL, 1, cell))
    for model in MODELS:
        facts = tenant(model, 1, cell)
        yield f"{model} role", policies.role_policy(facts)
        yield f"{model} trust", policies.tenant_role_trust(facts)
        yield f"{model} bucket", policies.own_bucket_policy(facts)
        yield f"{model} key", policies.own_key_policy(facts)


ALL = [
    pytest.param(made, id=f"{name}-{cell.partition}-{cell.capabilities.tls}")
    for cell in EVERYWHERE
    for name, made in documents_of(cell)
]


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.parametrize("made", ALL)
def test_every_document_is_of_the_version_with_variables_and_of_plain_characters(made: Document) -> None:
    assert made["Version"] == "2012-10-17"
    assert re.fullmatch(r"[\u0020-\u00ff]+", as_text(made))
    sids = [one["Sid"] for one in made["Statement"] if "Sid" in one]
    assert len(sids) == len(set(sids))
    assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)


@pytest.mark.parametrize("made", ALL)
def test_no_document_names_a_session_or_everybody_with_an_allow(made: Document) -> None:
    """A session's ARN in a resource policy would add to a session policy, which is to narrow."""
    for one in made["Statement"]:
        principal = one.get("Principal")
        if one["Effect"] == "Allow" and principal is not None:
            assert all(re.search(r":(role/[^*?]+|root|user/[^*?]+)$", arn) for arn in _listed(principal["AWS"]))
    assert ":assumed-role/" not in json.dumps(made)


@pytest.mark.parametrize("made", ALL)
def test_wildcards_stand_only_in_an_arns_last_part(made: Document) -> None:
    for one in made["Statement"]:
        for arn in _listed(one.get("Resource", [])):
            assert arn in ("*", KEY_PLACEHOLDER) or not set("*?$") & set(":".join(arn.split(":", 5)[:5]))


@pytest.mark.parametrize("made", ALL)
def test_no_document_passes_a_role_or_allows_everything(made: Document) -> None:
    for one in made["Statement"]:
        if one["Effect"] == "Allow":
            assert not {"*", "iam:*", "iam:PassRole", "sts:*", "kms:*", "kms:CreateGrant"} & set(one["Action"])
            assert "NotAction" not in one
            assert "NotResource" not in one


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.partition)
def test_a_document_stays_in_its_partition(cell: CellFacts) -> None:
    for name, made in documents_of(cell):
        found = set(re.findall(r"arn:([a-z-]+):", as_text(made)))
        assert found <= {cell.partition}, name


@pytest.mark.parametrize("cell", EVERYWHERE, ids=lambda cell: f"{cell.partition}-{cell.capabilities.tls}")
def test_the_boundary_holds_data_actions_only(cell: CellFacts) -> None:
    services = {action.split(":")[0] for one in policies.boundary_policy(cell)["Statement"] for action in one["Action"]}
    assert services == {"s3", "dynamodb", "kms", "secretsmanager", "logs"}


@pytest.mark.parametrize("region", REGIONS)
def test_the_longest_names_fit(region: str) -> None:
    """The worst cell code, the longest regions; what is too long raises before AWS is asked."""
    partition = {"us-gov": "aws-us-gov", "cn-nor": "aws-cn", "us-iso": "aws-iso"}.get(region[:6], "aws")
    partition = "aws-iso-b" if region.startswith("us-isob") else partition
    cell = dataclasses.replace(CELLS[0], code="p" * 20, partition=partition, region=region)
    sizes = {name: len(as_text(made)) for name, made in documents_of(cell)}
    assert sizes["session"] <= SESSION_LIMIT
    assert sizes["boundary"] <= MANAGED_LIMIT
    assert max(sizes.values()) <= INLINE_LIMIT


@given(st.text(ALPHABET, min_size=25, max_size=25), st.sampled_from(MODELS))
def test_only_the_id_of_a_tenant_reaches_a_document(rest: str, model: IsolationModel) -> None:
    plain = TenantFacts(f"tnt_0{rest}", "a", "A", "active", TierFacts("any", model), CELLS[0], "a@example.com")
    nasty = dataclasses.replace(plain, slug="*", name="${aws:username}", admin_email="/*", admin_name="\u2028")
    for make in (policies.role_policy, policies.tenant_role_trust, policies.own_bucket_policy, policies.own_key_policy):
        assert make(plain) == make(nasty)


def test_the_session_policys_short_form_stands_for_the_item_actions() -> None:
    operations = botocore.session.get_session().get_service_model("dynamodb").operation_names
    named = {f"dynamodb:{name}" for name in [*operations, "ConditionCheckItem"]}
    (items,) = [
        one
        for one in policies.pool_session_policy(tenant(IsolationModel.POOL, 1))["Statement"]
        if "dynamodb:Query" in one["Action"]
    ]
    assert {name for name in named if any(matches(pattern, name) for pattern in items["Action"])} == set(ITEM_ACTIONS)


def test_the_boundary_is_asked_for_with_every_role() -> None:
    made = {one["Sid"]: one for one in policies.provisioner_policy(CELLS[0])["Statement"]}
    boundary = f"arn:aws:iam::{CELLS[0].account_id}:policy/cp-prod--boundary"
    assert made["BoundRoles"]["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    assert "iam:CreateRole" in made["BoundRoles"]["Action"]
    actions = [action for one in made.values() for action in one["Action"]]
    assert actions.count("iam:CreateRole") == actions.count("iam:PutRolePolicy") == 1
    assert not {"iam:DeleteRolePermissionsBoundary", "iam:AttachRolePolicy", "iam:PassRole", "iam:CreateUser"} & set(actions)
    assert "BlindSpots" not in made


def test_a_key_is_filled_in_once_known() -> None:
    cell, facts = CELLS[0], tenant(IsolationModel.BRIDGE, 1)
    arn = f"arn:{cell.partition}:kms:{cell.region}:{cell.account_id}:key/0a1b-2c"
    made = fill_key(policies.role_policy(facts), arn, cell)
    assert KEY_PLACEHOLDER not in as_text(made)
    assert made == policies.role_policy(facts, key_arn=arn)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "*",
        "key/x",
        "{head}key/*",
        "{head}key/",
        "{head}alias/x",
        "{head}key/a:b",
        "arn:aws-cn:kms:eu-central-1:123456789012:key/x",
    ],
)
def test_a_key_of_elsewhere_is_not_filled_in(bad: str) -> None:
    cell = CELLS[0]
    head = f"arn:{cell.partition}:kms:{cell.region}:{cell.account_id}:"
    with pytest.raises(MalformedPolicyError):
        fill_key(policies.role_policy(tenant(IsolationModel.BRIDGE, 1)), bad.format(head=head), cell)


def test_what_aws_would_refuse_is_refused_first() -> None:
    with pytest.raises(PolicyTooLargeError):
        document([statement("A", ("s3:GetObject",), "x" * SESSION_LIMIT)], limit=SESSION_LIMIT, what="test")
    with pytest.raises(MalformedPolicyError):
        document([statement("A", ("s3:GetObject",), "\u2028")], limit=SESSION_LIMIT, what="test")


@pytest.mark.parametrize("cell", EVERYWHERE, ids=lambda cell: f"{cell.partition}-{cell.capabilities.tls}")
def test_what_is_missing_on_purpose_stays_missing(cell: CellFacts) -> None:
    """Actions without a tenant in their context, and those that would open a door to others, are in no tenant's document."""
    missing = {
        "s3:ListBucketMultipartUploads",
        "s3:ListAllMyBuckets",
        "s3:DeleteObjectVersion",
        "s3:PutObjectAcl",
        "s3:PutBucketPolicy",
    }
    missing |= {
        "dynamodb:Scan",
        "dynamodb:PartiQLSelect",
        "secretsmanager:PutSecretValue",
        "logs:DescribeLogGroups",
        "kms:PutKeyPolicy",
    }
    facts = [tenant(model, 1, cell) for model in MODELS]
    made = [policies.pool_role_policy(cell), policies.boundary_policy(cell), policies.pool_session_policy(facts[0])]
    for one in [*made, *map(policies.role_policy, facts)]:
        patterns = [action for each in one["Statement"] for action in each["Action"]]
        assert not [action for action in missing if any(matches(pattern, action) for pattern in patterns)]

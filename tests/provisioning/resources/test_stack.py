"""A silo's stack: slow, failed, rolled back, protected, and never believed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from core.aws.cloudformation import Stack
from provisioning.resources import stack, template
from provisioning.resources.base import Desired, Ensured, Removed, Wait
from provisioning.resources.deployment import StackFailedError
from tenants.facts import TenantFacts
from tests import faults
from tests.provisioning.resources.world import SILO, TIERS, World


@pytest.fixture
def tenant(town: World) -> TenantFacts:
    """A silo tenant with its key, and without its stack."""
    made = town.tenant(SILO)
    town.ensure(town.desired(made)["kms_key"], made)
    return made


@pytest.fixture
def item(town: World, tenant: TenantFacts) -> Desired:
    return town.desired(tenant)["stack"]


def _stranger_bucket(world: World, name: str) -> Any:
    s3 = world.hand("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_object(Bucket=name, Key="theirs", Body=b"theirs")
    return s3


def test_a_stack_that_cannot_be_made_says_why_and_is_made_when_it_can(town: World, tenant: TenantFacts, item: Desired) -> None:
    s3 = _stranger_bucket(town, item.spec["parts"]["bucket"]["bucket"])
    for _ in range(2):
        with pytest.raises(StackFailedError, match="already exists") as raised:
            town.ensure(item, tenant)
        assert raised.value.retryable
        assert s3.get_object(Bucket=item.spec["parts"]["bucket"]["bucket"], Key="theirs")
    s3.delete_object(Bucket=item.spec["parts"]["bucket"]["bucket"], Key="theirs")
    s3.delete_bucket(Bucket=item.spec["parts"]["bucket"]["bucket"])
    town.ensure(item, tenant)
    assert town.observe(item, tenant).is_as_promised


def test_an_update_that_is_rolled_back_says_why_and_leaves_what_was(
    town: World, tenant: TenantFacts, item: Desired, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.ensure(item, tenant)
    name = f"{item.spec['stack']}-more"
    _stranger_bucket(town, name)
    more = f"Resources:\n  More:\n    Type: AWS::S3::Bucket\n    Properties:\n      BucketName: {name}\n"
    text = template.tenant_template().text.replace("Resources:\n", more)
    monkeypatch.setattr(template, "tenant_template", lambda: template.Template(text, "other"))
    newer = town.desired(tenant)["stack"]
    for _ in range(2):
        with pytest.raises(StackFailedError, match="already exists"):
            town.ensure(newer, tenant)
    assert any("deployment is" in difference for difference in town.observe(newer, tenant).differences)
    monkeypatch.undo()
    town.ensure(item, tenant)
    assert town.observe(item, tenant).is_as_promised


class Slow:
    """CloudFormation as slow as on AWS: each change is seen as running for the next two looks."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        gateway = world.aws.cloudformation
        self.find, self.left, self.status = gateway.find_stack, 0, ""
        self.gone: Stack | None = None
        monkeypatch.setattr(gateway, "find_stack", self.look)
        for verb, status in (("create_stack", "CREATE"), ("update_stack", "UPDATE"), ("delete_stack", "DELETE")):
            monkeypatch.setattr(gateway, verb, self._slow(getattr(gateway, verb), status))

    def _slow(self, verb: Any, status: str) -> Any:
        def act(*args: Any, **kwargs: Any) -> Any:
            self.gone = self.find(args[0]) if status == "DELETE" else None
            self.left, self.status = 2, f"{status}_IN_PROGRESS"
            return verb(*args, **kwargs)

        return act

    def look(self, name: str) -> Stack | None:
        found = self.gone if self.gone is not None and self.left else self.find(name)
        if found is None or not self.left:
            return found
        self.left -= 1
        return replace(found, status=self.status, outputs={})


def _states(world: World, item: Desired, tenant: TenantFacts) -> Iterator[Wait | Ensured]:
    while True:
        known = world.known(item, tenant)
        answer = stack.ensure(world.aws, item.spec, known)
        world.rows[tenant.id]["stack", "own"] = {**known.this, **answer.attributes}
        yield answer
        if isinstance(answer, Ensured):
            return


def test_a_slow_stack_is_waited_for_and_asked_for_once(
    town: World, tenant: TenantFacts, item: Desired, monkeypatch: pytest.MonkeyPatch
) -> None:
    Slow(town, monkeypatch)
    with faults.watch() as traffic:
        answers = list(_states(town, item, tenant))
    assert [type(answer) for answer in answers] == [Wait, Wait, Ensured]
    assert isinstance(answers[0], Wait)
    assert answers[0].why == "CloudFormation: create in progress"
    assert answers[0].seconds > 0
    assert traffic.sends["cloudformation", "CreateStack"] == 1
    longer = replace(tenant, tier=replace(TIERS[SILO], log_retention_days=180))
    with faults.watch() as traffic:
        answers = list(_states(town, town.desired(longer)["stack"], tenant))
    assert [type(answer) for answer in answers] == [Wait, Wait, Ensured]
    assert traffic.sends["cloudformation", "UpdateStack"] == 1
    assert town.observe(town.desired(longer)["stack"], tenant).is_as_promised
    known = town.known(item, tenant)
    removals = [stack.remove(town.aws, item.spec, known) for _ in range(4)]
    assert [type(removal) for removal in removals] == [Wait, Wait, Removed, Removed]


def test_an_old_success_is_not_taken_for_this_deployment(
    town: World, tenant: TenantFacts, item: Desired, monkeypatch: pytest.MonkeyPatch
) -> None:
    town.ensure(item, tenant)
    suspended = town.desired(replace(tenant, state="suspended"))["stack"]
    assert any("deployment is" in difference for difference in town.observe(suspended, tenant).differences)
    gateway, tokens = town.aws.cloudformation, set()
    update = gateway.update_stack

    def noted(name: str, *, token: str, **given: Any) -> bool:
        tokens.add(token)
        return update(name, token=token, **given)

    monkeypatch.setattr(gateway, "update_stack", noted)
    for wanted in (suspended, item, suspended, item):
        town.ensure(wanted, tenant)
        assert town.observe(wanted, tenant).is_as_promised
    assert len(tokens) == 4  # AWS would take a token used again for the earlier request; the stand-in does not tell


def test_complete_is_not_believed_when_a_part_was_never_made(
    town: World, tenant: TenantFacts, item: Desired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "PARTS", {})
    town.ensure(item, tenant)
    monkeypatch.undo()
    town.hand("dynamodb").update_table(TableName=item.spec["parts"]["table"]["table"], DeletionProtectionEnabled=False)
    town.hand("dynamodb").delete_table(TableName=item.spec["parts"]["table"]["table"])
    assert town.aws.cloudformation.find_stack(item.spec["stack"]).status == "CREATE_COMPLETE"  # type: ignore[union-attr]
    assert "table is missing" in town.observe(item, tenant).differences
    town.ensure(item, tenant)
    assert town.observe(item, tenant).is_as_promised


def test_a_stack_with_data_is_protected_and_removed_with_all_of_it(town: World, tenant: TenantFacts, item: Desired) -> None:
    row = town.ensure(item, tenant)
    s3 = town.hand("s3")
    for body in (b"one", b"two"):
        s3.put_object(Bucket=row["bucket"], Key="tenants/x", Body=body)
    s3.delete_object(Bucket=row["bucket"], Key="tenants/x")
    with pytest.raises(ClientError, match="TerminationProtection"):
        town.hand("cloudformation").delete_stack(StackName=item.spec["stack"])
    with pytest.raises(ClientError, match=r"[Pp]rotection"):
        town.hand("dynamodb").delete_table(TableName=row["table"])
    with faults.watch() as traffic:
        town.remove(item, tenant)
    order = [operation for _, operation in traffic.order]
    assert order.index("DeleteObjects") < order.index(
        "DeleteStack"
    )  # AWS refuses a bucket that is not empty; the stand-in does not
    assert order.index("UpdateTable") < order.index("DeleteStack")
    assert not town.observe(item, tenant).present
    assert not town.aws.s3.is_bucket(row["bucket"])
    assert town.aws.dynamodb.find_table(row["table"]) is None
    assert town.aws.iam.find_role(row["role"]) is None
    assert town.aws.logs.find_log_group(row["log_group"]) is None


def test_what_a_deleted_stack_left_behind_is_removed(town: World, tenant: TenantFacts, item: Desired) -> None:
    row = town.ensure(item, tenant)
    town.remove(item, tenant)
    tags = item.spec["parts"]["log_group"]["tags"]
    town.hand("logs").create_log_group(logGroupName=row["log_group"], tags=dict(tags))  # as a late writer makes it
    town.remove(item, tenant)
    assert town.aws.logs.find_log_group(row["log_group"]) is None


def test_a_suspended_silo_is_denied_by_its_own_role(town: World, tenant: TenantFacts, item: Desired) -> None:
    row = town.ensure(item, tenant)
    suspended = town.desired(replace(tenant, state="suspended"))["stack"]
    town.ensure(suspended, tenant)
    document = town.hand("iam").get_role_policy(RoleName=row["role"], PolicyName="access")["PolicyDocument"]
    assert {statement["Effect"] for statement in document["Statement"]} == {"Deny"}, json.dumps(document)

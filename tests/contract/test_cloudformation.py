from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest

from core.aws.errors import AwsAlreadyExistsError, AwsError
from core.aws.session import Aws

Fresh = Callable[[str], str]


def _template(*groups: str) -> str:
    resources = {
        group: {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": {"Fn::Sub": f"/${{Name}}/{group}"}}}
        for group in groups
    }
    return json.dumps(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Parameters": {"Name": {"Type": "String"}},
            "Resources": resources,
            "Outputs": {"First": {"Value": {"Ref": groups[0]}}},
        }
    )


def _token() -> str:
    return str(uuid.uuid4())


def test_the_life_of_a_stack(gateways: Aws, fresh: Fresh, tags: dict[str, str]) -> None:
    cloudformation, name = gateways.cloudformation, fresh("stack")
    assert cloudformation.find_stack(name) is None
    stack_id = cloudformation.create_stack(name, template=_template("A"), parameters={"Name": name}, tags=tags, token=_token())
    made = cloudformation.find_stack(name)
    assert made is not None
    assert (made.id, made.status, made.is_busy) == (stack_id, "CREATE_COMPLETE", False)
    assert (made.parameters, made.tags, made.outputs) == ({"Name": name}, tags, {"First": f"/{name}/A"})
    with pytest.raises(AwsAlreadyExistsError):
        cloudformation.create_stack(name, template=_template("A"), parameters={"Name": name}, tags=tags, token=_token())
    unchanged = cloudformation.update_stack(name, template=_template("A"), parameters={"Name": name}, tags=tags, token=_token())
    assert unchanged is False
    assert cloudformation.update_stack(name, template=_template("A", "B"), parameters={"Name": name}, tags=tags, token=_token())
    resources = {item.logical_id: item for item in cloudformation.list_resources(name)}
    assert resources["B"].physical_id == f"/{name}/B"
    assert gateways.logs.find_log_group(f"/{name}/B") is not None
    assert json.loads(cloudformation.get_template(name)) == json.loads(_template("A", "B"))
    events = cloudformation.list_events(name)
    assert {"A", "B", name} <= {event.logical_id for event in events}
    cloudformation.delete_stack(name, token=_token())
    cloudformation.delete_stack(name, token=_token())
    assert cloudformation.find_stack(name) is None
    assert gateways.logs.find_log_group(f"/{name}/B") is None


def test_termination_protection_holds(gateways: Aws, fresh: Fresh) -> None:
    name = fresh("stack")
    gateways.cloudformation.create_stack(
        name, template=_template("A"), parameters={"Name": name}, tags={}, token=_token(), termination_protection=True
    )
    with pytest.raises(AwsError) as caught:
        gateways.cloudformation.delete_stack(name, token=_token())
    assert caught.value.aws_code == "ValidationError"
    gateways.cloudformation.put_termination_protection(name, enabled=False)
    gateways.cloudformation.delete_stack(name, token=_token())


def test_a_change_set_shows_and_then_does(gateways: Aws, fresh: Fresh) -> None:
    cloudformation, name = gateways.cloudformation, fresh("stack")
    first = {"parameters": {"Name": name}, "tags": {}}
    cloudformation.create_change_set(name, "first", kind="CREATE", template=_template("A"), token=_token(), **first)  # type: ignore[arg-type]
    change_set = cloudformation.find_change_set(name, "first")
    assert change_set is not None
    assert (change_set.status, change_set.execution) == ("CREATE_COMPLETE", "AVAILABLE")
    assert [(change.action, change.logical_id) for change in change_set.changes] == [("Add", "A")]
    assert gateways.logs.find_log_group(f"/{name}/A") is None
    cloudformation.execute_change_set(name, "first", token=_token())
    assert gateways.logs.find_log_group(f"/{name}/A") is not None
    cloudformation.delete_change_set(name, "unknown")
    assert cloudformation.find_change_set(name, "unknown") is None
    cloudformation.delete_stack(name, token=_token())


def test_a_missing_stack(gateways: Aws, fresh: Fresh) -> None:
    name = fresh("missing")
    assert gateways.cloudformation.find_stack(name) is None
    gateways.cloudformation.delete_stack(name, token=_token())
    with pytest.raises(AwsError):
        gateways.cloudformation.update_stack(name, template=_template("A"), parameters={"Name": name}, tags={}, token=_token())

"""A reader and resolver for our own CloudFormation templates: what AWS would make of one, for comparison with the policies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from provisioning.resources.differences import canonical
from tenants.facts import CellFacts
from tenants.partitions import partition_of

NOTHING = object()


class Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as their long ones."""


def _short(loader: Loader, suffix: str, node: yaml.Node) -> Any:
    name = "Ref" if suffix == "Ref" else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    assert isinstance(node, yaml.SequenceNode)
    return {name: loader.construct_sequence(node, deep=True)}


Loader.add_multi_constructor("!", _short)


class Resolver:
    """Does what CloudFormation does with the functions that our templates use, and refuses any other."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, str], cell: CellFacts) -> None:
        partition = partition_of(cell.partition)
        assert partition is not None
        self.values = {
            **{name: str(given["Default"]) for name, given in template["Parameters"].items() if "Default" in given},
            **parameters,
            "AWS::Partition": cell.partition,
            "AWS::Region": cell.region,
            "AWS::AccountId": cell.account_id,
            "AWS::URLSuffix": partition.dns_suffix,
        }
        self.conditions = {name: self(value) for name, value in template.get("Conditions", {}).items()}

    def __call__(self, value: Any) -> Any:
        """Give the value without functions."""
        if isinstance(value, list):
            return [item for item in map(self, value) if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name == "Ref":
                return NOTHING if argument == "AWS::NoValue" else self.values.get(argument, argument)
            if name.startswith("Fn::"):
                return self._function(name, argument)
        resolved = {key: self(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NOTHING}

    def _function(self, name: str, argument: Any) -> Any:
        if name == "Fn::Sub":
            filled = re.sub(r"\$\{([^!}][^}]*)\}", lambda found: self.values[found[1]], argument)
            return filled.replace("${!", "${")
        if name == "Fn::If":
            return self(argument[1] if self.conditions[argument[0]] else argument[2])
        if name == "Fn::Equals":
            return self(argument[0]) == self(argument[1])
        raise AssertionError(f"{name} is not used in our templates")


def resources_of(text: str, parameters: Mapping[str, str], cell: CellFacts) -> dict[str, Any]:
    """The template's resources as CloudFormation would make them; every parameter must be given and be allowed."""
    template = yaml.load(text, Loader)
    assert set(parameters) == set(template["Parameters"])
    for name, value in parameters.items():
        pattern = template["Parameters"][name].get("AllowedPattern")
        assert pattern is None or re.fullmatch(pattern, value), (name, value)
    resolved: dict[str, Any] = Resolver(template, parameters, cell)(template["Resources"])
    return resolved


def same(found: Any, promised: Any) -> bool:
    """Say whether two documents mean the same."""
    return json.dumps(canonical(found), sort_keys=True) == json.dumps(canonical(promised), sort_keys=True)

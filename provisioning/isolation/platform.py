"""The control plane's home in a cell's account as a CloudFormation template, made from the same functions as everything else. Pure.

``templates/platform/control-plane.yaml`` is what this writes, checked in so that it can be read, reviewed and deployed without this code; a
test holds the two together. After a change of the control plane's rights:

    python -m provisioning.isolation.platform > templates/platform/control-plane.yaml

The documents are rendered for a cell that cannot exist, whose partition, region, account and code are then replaced by CloudFormation's own
references, so that one template serves every partition.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import yaml

from provisioning.isolation.documents import Document
from provisioning.isolation.provisioner import base_user_policy, control_plane_trust, provisioner_policy
from tenants.facts import CellFacts
from tenants.naming import MANAGED_BY, TAG_CELL, TAG_MANAGED_BY, names_of_cell
from tenants.partitions import partition_of

_CELL: Final = CellFacts("", "zzcellcodezz", "", "aws-iso-b", "zz-region-99", "999999999999")
_BASE: Final = "{{base}}"
_SUFFIX: Final = getattr(partition_of(_CELL.partition), "dns_suffix", "")
_REFERENCES: Final = (
    (f"arn:{_CELL.partition}:", "arn:${AWS::Partition}:"),
    (_CELL.region, "${AWS::Region}"),
    (_CELL.account_id, "${AWS::AccountId}"),
    (_CELL.code, "${CellCode}"),
    (_SUFFIX, "${AWS::URLSuffix}"),
    (_BASE, "${BaseIdentityArn}"),
)
_HEAD: Final = """\
# Written by `python -m provisioning.isolation.platform`; a test holds it to the code. Do not edit by hand.
"""


def control_plane_template() -> str:
    """Give the template's text: the role that the control plane works under in a cell, and what its base identity needs to become it."""
    made = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The control plane's footing in one cell: a least-privilege role, and the right to become it.",
        "Parameters": {
            "CellCode": {
                "Type": "String",
                "AllowedPattern": "[a-z](-?[a-z0-9]){0,19}",
                "Description": "The cell's code; every name and pattern below is made of it.",
            },
            "BaseIdentityArn": {
                "Type": "String",
                "AllowedPattern": "arn:[a-z-]+:iam::[0-9]{12}:(role|user)/.+",
                "Description": "The identity that the control plane's processes run as. It may do nothing but become the role.",
            },
        },
        "Resources": {"ControlPlane": _role(), "BecomeControlPlane": _base_policy()},
        "Outputs": {
            "RoleArn": {"Description": "To be entered as the cell's role.", "Value": {"Fn::GetAtt": ["ControlPlane", "Arn"]}},
            "BecomePolicyArn": {"Description": "To be attached to the base identity.", "Value": {"Ref": "BecomeControlPlane"}},
        },
    }
    return _HEAD + yaml.dump(made, Dumper=_Dumper, sort_keys=False, width=130)


def _role() -> dict[str, Any]:
    policy = {"PolicyName": "least-privilege", "PolicyDocument": _referring(provisioner_policy(_CELL))}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": _referring(names_of_cell(_CELL).control_plane_role),
            "Description": "The SaaS control plane in this cell.",
            "AssumeRolePolicyDocument": _referring(control_plane_trust(_CELL, _BASE)),
            "Policies": [policy],
            "Tags": [{"Key": TAG_CELL, "Value": {"Ref": "CellCode"}}, {"Key": TAG_MANAGED_BY, "Value": MANAGED_BY}],
        },
    }


def _base_policy() -> dict[str, Any]:
    document: Document = _referring(base_user_policy([_CELL]))
    return {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {"Description": "Lets the base identity become the control plane of this cell.", "PolicyDocument": document},
    }


def _referring(value: Any) -> Any:
    """Replace the cell that cannot exist by references, wherever it is named."""
    if isinstance(value, dict):
        return {key: _referring(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_referring(item) for item in value]
    if not isinstance(value, str):
        return value
    text = value.replace("${", "${!")  # IAM's own variables are not CloudFormation's
    for literal, reference in _REFERENCES:
        text = text.replace(literal, reference)
    for reference in ("CellCode", "BaseIdentityArn"):
        if text == f"${{{reference}}}":
            return {"Ref": reference}
    return {"Fn::Sub": text} if text != value else value


class _Dumper(yaml.SafeDumper):
    """Writes no anchors: a document that repeats a list says it twice."""

    def ignore_aliases(self, data: Any) -> bool:
        """Never refer back."""
        return True


if __name__ == "__main__":
    sys.stdout.write(control_plane_template())

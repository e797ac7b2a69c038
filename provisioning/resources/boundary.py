"""The permission boundary of a cell: one managed policy that caps every role a tenant's credentials come from.

A changed document becomes a new default version; IAM keeps five, so the gateway deletes the oldest first.
"""

from __future__ import annotations

from core.aws.errors import AwsAlreadyExistsError
from core.aws.session import Aws
from provisioning.isolation import policies
from provisioning.resources import differences
from provisioning.resources.base import (
    ABSENT,
    NOT_SHOWN_YET,
    SHARED,
    Desired,
    Ensured,
    Known,
    Observed,
    Removed,
    Spec,
    Wait,
    cell_tags,
    require_ours,
)
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import names_of_cell

KIND = "boundary"
DEPENDS_ON: tuple[str, ...] = ()
HOLDS_DATA = False


def shape(tenant: TenantFacts) -> tuple[Desired, ...]:
    """A tenant has no boundary of its own: its roles stand under the cell's."""
    return ()


def cell_shape(cell: CellFacts) -> tuple[Desired, ...]:
    """One boundary for the whole cell."""
    names = names_of_cell(cell)
    spec = {
        "policy_name": names.boundary,
        "arn": names.boundary_arn,
        "document": policies.boundary_policy(cell),
        "tags": cell_tags(cell),
    }
    return (Desired(KIND, SHARED, spec),)


def ensure(aws: Aws, spec: Spec, known: Known) -> Ensured | Wait:
    """Make the policy, or write a new default version when its document was edited."""
    attributes = {"arn": spec["arn"]}
    found = aws.iam.find_policy(spec["arn"])
    if found is None:
        about = "Caps every tenant's role."
        try:
            aws.iam.create_policy(spec["policy_name"], document=spec["document"], tags=spec["tags"], description=about)
        except AwsAlreadyExistsError:
            return NOT_SHOWN_YET
        return Ensured(attributes)
    require_ours(found.tags, spec, f"The policy {spec['policy_name']}")
    if differences.of_document("the policy", aws.iam.get_policy_document(found), spec["document"]):
        aws.iam.put_policy_document(spec["arn"], spec["document"])
    if differences.of_tags(found.tags, spec["tags"]):
        aws.iam.put_policy_tags(spec["arn"], spec["tags"])
    return Ensured(attributes)


def observe(aws: Aws, spec: Spec, known: Known) -> Observed:
    """Read the policy, its default document and its tags back."""
    found = aws.iam.find_policy(spec["arn"])
    if found is None:
        return ABSENT
    document = differences.of_document("the policy", aws.iam.get_policy_document(found), spec["document"])
    return Observed(True, document + differences.of_tags(found.tags, spec["tags"]), {"arn": found.arn})


def remove(aws: Aws, spec: Spec, known: Known) -> Removed | Wait:
    """Delete the policy with all its versions; AWS refuses while a role still stands under it."""
    found = aws.iam.find_policy(spec["arn"])
    if found is not None:
        require_ours(found.tags, spec, f"The policy {spec['policy_name']}")
        aws.iam.delete_policy(spec["arn"])
    return Removed()

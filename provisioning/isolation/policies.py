"""Every IAM document of the product, made by pure functions from facts. Nothing else in the code writes one.

A tenant's access stands on several legs, each of which keeps tenants apart by itself:

=========  ============================================  =================================================
model      identity policy                               what stands beside it
=========  ============================================  =================================================
pool       shared role, session tag as policy variable   session policy with literal names, at each vending
bridge     own role, literal names                       permission boundary
silo       own role, literal names, own bucket, table    permission boundary
=========  ============================================  =================================================

The boundary is one document a cell and names the principal's own tag, so it holds every tenant's role to its own tenant even if a role's
policy were wrong. Resource policies (``resource_policies``) and the control plane's own rights (``provisioner``) have modules of their own
and are given again here. ``cell.capabilities`` is the only thing that renders a document differently for a stand-in.
"""

from __future__ import annotations

from typing import Final

from provisioning.isolation.access import (
    ITEM_ACTIONS,
    KEY_ACTIONS,
    LIST_ACTIONS,
    LOG_ACTIONS,
    OBJECT_ACTIONS,
    SECRET_ACTIONS,
    access_statements,
    any_key_arn,
    leading_key_condition,
    own_pattern,
    scope_by_tag,
    scope_of,
    who_by_tag,
)
from provisioning.isolation.documents import (
    INLINE_LIMIT,
    KEY_PLACEHOLDER,
    MANAGED_LIMIT,
    SESSION_LIMIT,
    TRUST_LIMIT,
    Document,
    Statement,
    document,
    fill_key,
    statement,
)
from provisioning.isolation.provisioner import base_user_policy, control_plane_trust, provisioner_policy
from provisioning.isolation.resource_policies import own_bucket_policy, own_key_policy, shared_bucket_policy, shared_key_policy
from tenants import naming
from tenants.facts import CellFacts, TenantFacts
from tenants.naming import TAG_TENANT, arn

__all__ = [
    "KEY_PLACEHOLDER",
    "base_user_policy",
    "boundary_policy",
    "bridge_role_policy",
    "control_plane_trust",
    "fill_key",
    "own_bucket_policy",
    "own_key_policy",
    "pool_role_policy",
    "pool_role_trust",
    "pool_session_policy",
    "provisioner_policy",
    "role_policy",
    "shared_bucket_policy",
    "shared_key_policy",
    "silo_role_policy",
    "suspended_policy",
    "tenant_role_trust",
]

_ID_PATTERN: Final = f"tnt_{'?' * 26}"


def tenant_role_trust(tenant: TenantFacts) -> Document:
    """Who may assume a tenant's own role: the control plane alone, tagged for this tenant and named after it."""
    return _trust(tenant.cell, {"StringEquals": {f"aws:RequestTag/{TAG_TENANT}": tenant.id}}, f"{tenant.id}@*")


def pool_role_trust(cell: CellFacts) -> Document:
    """Who may assume the shared role: the control plane alone, always with a tag that has the length of an id.

    STS refuses ``*``, ``?`` and ``$`` in tag values, so the tag cannot widen a policy that is written with it.
    """
    return _trust(cell, {"StringLike": {f"aws:RequestTag/{TAG_TENANT}": _ID_PATTERN}}, f"{_ID_PATTERN}@*")


def _trust(cell: CellFacts, tag: dict[str, dict[str, str]], session: str) -> Document:
    """One statement for both actions: a session that cannot be tagged is not given out, and no other tag may ride along."""
    condition: dict[str, dict[str, str]] = {operator: dict(block) for operator, block in tag.items()}
    condition.setdefault("StringLike", {})["sts:RoleSessionName"] = session
    condition["ForAllValues:StringEquals"] = {"aws:TagKeys": TAG_TENANT}
    principal = {"AWS": naming.names_of_cell(cell).control_plane_role_arn}
    made = statement("ControlPlane", ("sts:AssumeRole", "sts:TagSession"), (), condition, principal=principal)
    del made["Resource"]
    return document([made], limit=TRUST_LIMIT, what="trust policy")


def pool_role_policy(cell: CellFacts, *, key_arn: str = KEY_PLACEHOLDER) -> Document:
    """Leg 1 of pooled access: the shared role's own policy, bound to the session tag."""
    return document(access_statements(scope_by_tag(cell, key_arn=key_arn)), limit=INLINE_LIMIT, what="shared role's policy")


def pool_session_policy(tenant: TenantFacts) -> Document:
    """Leg 2 of pooled access: passed with each vending, literal names, at most 2,048 characters.

    It only narrows leg 1, which names the key; here any key of the account will do, still under the tenant's own encryption context.
    To fit, its statements have no names, and ``dynamodb:*Item`` stands for the item actions, all of which end so.
    """
    statements = access_statements(scope_of(tenant, key_arn=any_key_arn(tenant.cell)))
    for made in statements:
        del made["Sid"]
        if made["Action"] == list(ITEM_ACTIONS):
            made["Action"] = ["dynamodb:Query", "dynamodb:*Item"]
    return document(statements, limit=SESSION_LIMIT, what="session policy")


def bridge_role_policy(tenant: TenantFacts, *, key_arn: str = KEY_PLACEHOLDER) -> Document:
    """The own role of a bridge tenant: its prefix in the shared bucket, its leading key in the shared table, its own key."""
    return document(access_statements(scope_of(tenant, key_arn=key_arn)), limit=INLINE_LIMIT, what="role policy")


def silo_role_policy(tenant: TenantFacts, *, key_arn: str = KEY_PLACEHOLDER) -> Document:
    """The own role of a silo or sovereign tenant: own bucket, table and key. The tenant template's role must equal it.

    Objects stay under ``tenants/<id>/`` in the own bucket too: a move between models keeps every key, one boundary fits all models,
    and the rest of the bucket is the control plane's.
    """
    return document(access_statements(scope_of(tenant, key_arn=key_arn)), limit=INLINE_LIMIT, what="role policy")


def role_policy(tenant: TenantFacts, *, key_arn: str = KEY_PLACEHOLDER) -> Document:
    """The identity policy of the tenant's own role as it should be now: everything denied while the tenant is not served."""
    if tenant.state in _DENIED_STATES:
        return suspended_policy()
    make = silo_role_policy if tenant.tier.isolation_model.has_own_stack else bridge_role_policy
    return make(tenant, key_arn=key_arn)


_DENIED_STATES: Final = frozenset({"suspended", "offboarding", "closed"})


def suspended_policy() -> Document:
    """Nothing at all: an explicit deny also ends what sessions given out before can do, as soon as IAM has spread it."""
    return document([statement("Suspended", ("*",), "*", effect="Deny")], limit=MANAGED_LIMIT, what="suspended policy")


def boundary_policy(cell: CellFacts) -> Document:
    """The permission boundary of every tenant role of a cell: data actions only, and only under the role's own tenant tag.

    The tag is the role's own, or the session's for the shared role. IAM, STS and every administrative action are absent, so no policy
    on a tenant's role can grant them.
    """
    statements = [*_boundary_storage(cell), *_boundary_items(cell), *_boundary_rest(cell)]
    return document(statements, limit=MANAGED_LIMIT, what="permission boundary")


def _boundary_storage(cell: CellFacts) -> list[Statement]:
    shared = naming.names_of_cell(cell)
    prefix = f"{shared.storage_root}{who_by_tag(cell)}/"
    own_bucket = arn(cell, "s3", own_pattern(shared), region=False, account=False)
    buckets = (shared.bucket_arn, own_bucket)
    return [
        statement("Objects", OBJECT_ACTIONS, [f"{bucket}/{prefix}*" for bucket in buckets]),
        statement("Listing", LIST_ACTIONS, buckets, {"StringLike": {"s3:prefix": f"{prefix}*"}}),
    ]


def _boundary_items(cell: CellFacts) -> list[Statement]:
    shared = naming.names_of_cell(cell)
    own_table = arn(cell, "dynamodb", f"table/{own_pattern(shared)}")
    return [
        statement("SharedItems", ITEM_ACTIONS, shared.table_arn, leading_key_condition(cell, who_by_tag(cell))),
        statement("OwnItems", ITEM_ACTIONS, (own_table, f"{own_table}/index/*")),
    ]


def _boundary_rest(cell: CellFacts) -> list[Statement]:
    shared, who = naming.names_of_cell(cell), who_by_tag(cell)
    return [
        statement("Keys", KEY_ACTIONS, any_key_arn(cell)),
        statement("Secrets", SECRET_ACTIONS, arn(cell, "secretsmanager", f"secret:{shared.secret_root}{who}/*")),
        statement("Logs", LOG_ACTIONS, arn(cell, "logs", f"log-group:{shared.log_root}{who}/*")),
    ]

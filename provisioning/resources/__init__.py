"""Every kind of resource that a tenant or a cell can have, in the order in which they stand on each other.

The registry is a plain dict of modules: a kind is a module with the names that :class:`~provisioning.resources.base.ResourceKind` lists. To
add one, copy a module, put it below what it stands on, and its tests beside the others'. What is shared by all kinds is in ``base`` and
``differences``; nothing else may be imported from one kind into another, but for a stack, which is made of parts.
"""

from __future__ import annotations

from provisioning.resources import (
    access_role,
    administrator,
    app_client,
    boundary,
    bucket,
    identity_provider,
    kms_key,
    log_group,
    pool_domain,
    pooled_access,
    secret,
    stack,
    storage_prefix,
    table,
    user_group,
    user_pool,
)
from provisioning.resources.base import ResourceKind

_ORDERED: tuple[ResourceKind, ...] = (
    boundary,
    kms_key,
    bucket,
    table,
    user_pool,
    user_group,
    pool_domain,
    identity_provider,
    app_client,
    administrator,
    storage_prefix,
    access_role,
    pooled_access,
    secret,
    log_group,
    stack,
)

KINDS: dict[str, ResourceKind] = {kind.KIND: kind for kind in _ORDERED}

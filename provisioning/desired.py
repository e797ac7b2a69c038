"""What a tenant, or a cell, should have in AWS. Pure: the same facts give the same answer, on any machine, without a call.

The list of kinds and their order come from the registry; each kind says for itself what it wants of a tenant. ``state`` is the state that
the operation works *towards*: a tenant that is being resumed is still suspended, and should already have what an active one has.
"""

from __future__ import annotations

from dataclasses import replace

from provisioning.resources import KINDS
from provisioning.resources.base import Desired
from tenants.facts import CellFacts, TenantFacts
from tenants.lifecycle import TenantState


def desired_of_tenant(tenant: TenantFacts, *, state: str | None = None) -> tuple[Desired, ...]:
    """Give every resource that the tenant should have in ``state`` (default: its own), dependencies first; none when closed."""
    facts = tenant if state is None else replace(tenant, state=state)
    if facts.state == TenantState.CLOSED:
        return ()
    return tuple(wanted for kind in KINDS.values() for wanted in kind.shape(facts))


def desired_of_cell(cell: CellFacts) -> tuple[Desired, ...]:
    """Give every resource that the cell shares among its tenants, dependencies first."""
    return tuple(wanted for kind in KINDS.values() for wanted in kind.cell_shape(cell))

"""Tenants whose people can really sign in: onboarded into the stand-in, with passwords in its user pools."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from provisioning import people
from provisioning.identity import identity_of
from provisioning.services import start_prepare_cell
from tenants import clouds
from tenants.members.models import Member
from tenants.models import Cell, Tenant
from tenants.seed import seed_cell, seed_tiers
from tenants.selectors import facts_of
from tests.cast import OPERATOR, finish, onboarded
from tests.services import REGION, StandIn

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing

PASSWORD = "Correct-Horse-7-Battery"  # of people who do not exist


def prepared_cell(footing: Footing, standin: StandIn) -> Cell:
    """The embedded cell with all that its tenants share."""
    from controlplane.embedded.bootstrap import CELL_CODE, ENVIRONMENT, PARTITION, STANDIN_CAPABILITIES

    seed_tiers()
    cell = seed_cell(
        code=CELL_CODE,
        environment=ENVIRONMENT,
        partition=PARTITION,
        region=REGION,
        account_id=standin.account_id,
        role_arn=footing.role_arn,
        capabilities=asdict(STANDIN_CAPABILITIES),
    )
    assert finish(start_prepare_cell(actor=OPERATOR, cell_code=cell.code, reason="tests")).state == "succeeded"
    cell.refresh_from_db()
    return cell


def real_tenant(who: str, **values: Any) -> Tenant:
    """A tenant with everything in the stand-in."""
    tenant = onboarded(who, **values)
    assert tenant.state == "active", tenant.state
    return tenant


def with_password(member: Member, password: str = PASSWORD, *, permanent: bool = True) -> Member:
    """Give a member a user in the pool and a password."""
    Member.objects.filter(pk=member.pk).update(directory_state="unsettled")
    assert people.settle(member.pk)
    pool_id = identity_of(member.tenant).pool_id
    aws = clouds.connect_to(facts_of(member.tenant).cell, session_name="tests")
    aws.cognito.put_user_password(pool_id, member.username, password, permanent=permanent)
    return member

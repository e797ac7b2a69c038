"""Makes the tenant's user pool agree with its members' rows, and asks it who somebody is.

Every convergence reads the row, looks at the user, and does what is missing: repeatable after any lost answer. The row says *unsettled*
until that has happened (``tenants.members.telling.unsettle``), so that a lost message costs a few seconds. AWS is never called inside a
transaction. What decides whether a person may come in is the row and not the pool: the pool follows.

The first administrator's user is the onboarding's (``provisioning.resources.administrator``): it is neither made nor deleted here while its
tenant lives, and its attributes are left to that. Whether it is enabled both know from ``Tenant.admin_enabled``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from core.actors import Actor, system
from core.aws.cognito_users import User
from core.aws.errors import AwsAlreadyExistsError, AwsError
from core.aws.session import Aws
from core.aws.signing_in import POLICY_CODES, InvalidPasswordError
from core.aws.tokens import Issuer
from core.errors import ConflictError, DomainError
from provisioning.models import ResourceState
from provisioning.resources.base import OWN, NotOursError, place_of
from provisioning.resources.user_pool import TENANT_ID, TENANT_TIER, USER_ROLE
from provisioning.selectors import list_resources_at
from tenants import clouds
from tenants.members import links
from tenants.members.models import LIVING, DirectoryState, Member, MemberState
from tenants.members.signing_in import follow_link
from tenants.models import Tenant
from tenants.naming import names_of, session_name
from tenants.partitions import endpoint_host
from tenants.selectors import facts_of

logger = logging.getLogger(__name__)

CLOCK = system("members")
MOST = 100
CLAIM_LASTS = timedelta(seconds=120)
LONGEST_PAUSE_SECONDS = 600
_OWNER = f"custom:{TENANT_ID}"

__all__ = ["InvalidPasswordError", "choose_password", "issuer_of", "settle", "settle_due"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a member's user is: the gateways, the pool, and the group for the shared one (empty in an own one)."""

    aws: Aws
    pool_id: str
    group: str


def issuer_of(tenant: Tenant, *, pool_id: str, client_id: str) -> Issuer:
    """Say who issues this tenant's tokens. With a stand-in the keys are read from there, while the issuer's name is AWS's."""
    host = endpoint_host(facts_of(tenant).cell, "cognito-idp")
    name = f"https://{host}/{pool_id}"
    base = f"{settings.AWS_ENDPOINT_URL.rstrip('/')}/{pool_id}" if settings.AWS_ENDPOINT_URL else name
    return Issuer(name, f"{base}/.well-known/jwks.json", client_id)


def settle_due() -> int:
    """Converge the members that are due; gives how many are settled now."""
    now = timezone.now()
    free = Q(directory_claimed_until__isnull=True) | Q(directory_claimed_until__lte=now)
    due = Member.objects.filter(free, directory_state=DirectoryState.UNSETTLED, directory_due_at__lte=now)
    chosen = list(due.order_by("directory_due_at").values_list("pk", flat=True)[:MOST])
    return sum(settle(member_id) for member_id in chosen)


def settle(member_id: str) -> bool:
    """Bring one member's user to what the row says; True when it is so now. What fails is tried again and stays visible on the row."""
    member = _take(member_id)
    if member is None:
        return False
    try:
        _converge(member, CLOCK)
    except DomainError as error:
        _postpone(member, getattr(error, "aws_code", "") or error.code)
        return False
    mine = Member.objects.filter(pk=member.pk, directory_generation=member.directory_generation)
    settled = mine.update(
        directory_state=DirectoryState.SETTLED,
        directory_settled_at=timezone.now(),
        directory_claimed_until=None,
        directory_failures=0,
        directory_error="",
        directory_due_at=None,
        former_pool="",
    )
    if not settled:
        Member.objects.filter(pk=member.pk).update(directory_claimed_until=None)
    return bool(settled)


def choose_password(*, tenant: Tenant, text: str, password: str, name: str = "") -> Member:
    """Follow a mailed link: give the member this password, and use the link up; the invited join by it.

    Of two who do so at one moment one is told so: the password that stands is that of whoever used the link up. Raises LinkNotGoodError,
    LinkBusyError, InvalidPasswordError when the pool's policy refuses the password (the link stays good), ConflictError while the
    pool is not there, AwsError. Must not run inside a transaction.
    """
    member = links.get_by_link(tenant.pk, text)
    place = _place(member, Actor.parse(f"member:{member.pk}"))
    if place is None:
        raise ConflictError("The tenant's sign-in is not provisioned.", code="not-provisioned")
    links.claim(member)
    try:
        _put_password(place, member, password)
        return follow_link(tenant_id=tenant.pk, text=text, name=name)
    except Exception:
        links.release(member)
        raise


def _put_password(place: _Place, member: Member, password: str) -> None:
    _ensure(place, member)
    place.aws.cognito.enable_user(place.pool_id, member.username)
    try:
        place.aws.cognito.put_user_password(place.pool_id, member.username, password, permanent=True)
    except AwsError as error:
        if error.aws_code in POLICY_CODES:
            raise InvalidPasswordError from None
        raise


def _converge(member: Member, actor: Actor) -> None:
    place = _place(member, actor)
    if member.state == MemberState.REMOVED:
        if place is not None:
            _remove(place, member)
    elif place is None:
        raise ConflictError("The user pool is not there yet.", code="not-provisioned")
    else:
        _make_so(place, member)
    if member.former_pool and (place is None or member.former_pool != place.pool_id):
        _delete_ours(_connect(member, actor), member.former_pool, member)


def _make_so(place: _Place, member: Member) -> None:
    user = _ensure(place, member)
    wanted = member.state in (MemberState.ACTIVE, MemberState.INVITED)
    if user.enabled and not wanted:
        place.aws.cognito.disable_user(place.pool_id, member.username)
    elif wanted and not user.enabled and identity_is_open(member.tenant):
        place.aws.cognito.enable_user(place.pool_id, member.username)
    if member.epoch > 1:
        # The portal's sessions ended with the epoch; this ends refresh tokens that somebody may have got elsewhere.
        place.aws.cognito.sign_out_user(place.pool_id, member.username)


def identity_is_open(tenant: Tenant) -> bool:
    """Say whether the tenant's people may sign in at all: a suspended tenant's users stay shut."""
    return tenant.state == "active"


def _ensure(place: _Place, member: Member) -> User:
    """Give the member's user, made or set right; nobody is mailed by Cognito."""
    cognito, wanted = place.aws.cognito, _attributes(member)
    user = cognito.find_user(place.pool_id, member.username)
    if user is None:
        try:
            user = cognito.create_user(place.pool_id, member.username, attributes=wanted, invite=False)
        except AwsAlreadyExistsError:
            raise ConflictError("The user was made a moment ago and is not shown yet.", code="not-shown-yet") from None
    elif user.attributes.get(_OWNER) != member.tenant_id:
        raise NotOursError(f"The user {user.username} exists and does not belong to this tenant; it was left untouched.")
    elif not member.is_first:
        wrong = {name: value for name, value in wanted.items() if user.attributes.get(name) != value and name != _OWNER}
        if wrong:
            cognito.put_user_attributes(place.pool_id, member.username, wrong)
    if place.group:
        cognito.add_user_to_group(place.pool_id, member.username, place.group)
    return user


def _remove(place: _Place, member: Member) -> None:
    same = Member.objects.filter(tenant_id=member.tenant_id, username=member.username, state__in=LIVING)
    if same.exists():
        return  # invited anew, as another member, under the same address
    if not member.is_first or member.tenant.state == "closed":
        _delete_ours(place.aws, place.pool_id, member)
    elif _is_ours(place.aws, place.pool_id, member):
        place.aws.cognito.disable_user(place.pool_id, member.username)


def _delete_ours(aws: Aws, pool_id: str, member: Member) -> None:
    """Delete the member's user from a pool; a stranger's of that name, and a missing one, are left alone."""
    if _is_ours(aws, pool_id, member):
        aws.cognito.delete_user(pool_id, member.username)


def _is_ours(aws: Aws, pool_id: str, member: Member) -> bool:
    user = aws.cognito.find_user(pool_id, member.username)
    return user is not None and user.attributes.get(_OWNER) == member.tenant_id


def _attributes(member: Member) -> dict[str, str]:
    attributes = {
        "email": member.email,
        "email_verified": "true",
        _OWNER: member.tenant_id,
        f"custom:{TENANT_TIER}": member.tenant.tier_id,
        f"custom:{USER_ROLE}": member.role,
    }
    return {**attributes, "name": member.name} if member.name else attributes


def _place(member: Member, actor: Actor) -> _Place | None:
    """Find the pool, which a tenant that is being removed still has after its app client is gone; None when there is none."""
    facts = facts_of(member.tenant)
    place = place_of(facts.tier.isolation_model)
    pools = list_resources_at(place, member.tenant).filter(kind="user_pool", name=place)
    pool = pools.exclude(state=ResourceState.INTENDED).first()
    if pool is None or "pool_id" not in pool.attributes:
        return None
    group = "" if place == OWN or member.tenant.state == "closed" else names_of(facts).group
    return _Place(_connect(member, actor), pool.attributes["pool_id"], group)


def _connect(member: Member, actor: Actor) -> Aws:
    facts = facts_of(member.tenant)
    return clouds.connect_to(facts.cell, session_name=session_name(facts.id, actor))


def _take(member_id: str) -> Member | None:
    now = timezone.now()
    free = Q(directory_claimed_until__isnull=True) | Q(directory_claimed_until__lte=now)
    mine = Member.objects.filter(free, pk=member_id, directory_state=DirectoryState.UNSETTLED)
    if not mine.update(directory_claimed_until=now + CLAIM_LASTS):
        return None
    return Member.objects.select_related("tenant__tier", "tenant__cell").get(pk=member_id)


def _postpone(member: Member, error: str) -> None:
    failures = member.directory_failures + 1
    pause = min(LONGEST_PAUSE_SECONDS, 2 ** min(failures, 16))
    due = timezone.now() + timedelta(seconds=pause)
    Member.objects.filter(pk=member.pk, directory_generation=member.directory_generation).update(
        directory_failures=failures, directory_error=error[:100], directory_due_at=due
    )
    Member.objects.filter(pk=member.pk).update(directory_claimed_until=None)
    logger.info("a member's user was not settled", extra={"member": member.pk, "error": error})

"""A key's secret in Secrets Manager: written once with its text in hand, and from then on brought to what the rows say.

``put_pending`` is the only place where a text goes to AWS. ``converge`` needs none: it moves stages, schedules deletions and reads back,
may be repeated at any time by anybody, and records success only while its claim holds and nothing has changed since it read the rows. A
worker that overslept its claim may have moved a stage after its successor was done; it says so, and the clock looks again.

The control plane has no right to read a secret's value, so that reading back means the version ids and stages. A version id is the
client request token of one text that existed in one process: AWS refuses the same token with another text.
https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from core.actors import Actor
from core.aws.errors import AwsAlreadyExistsError, AwsError
from core.aws.secretsmanager import Secret
from core.aws.session import Aws
from core.errors import DomainError
from tenants import clouds, naming
from tenants.facts import TenantFacts
from tenants.keys import claims, settling, staging
from tenants.keys.claims import Hold
from tenants.keys.models import Algorithm, ApiKey, KeyVersion, StoreState
from tenants.selectors import facts_of

logger = logging.getLogger(__name__)

RECOVERY_DAYS = 7
ROUNDS = 6
DESCRIPTION = "One API key; its stages follow its versions."


class KeyStoreError(DomainError):
    """Secrets Manager did not take or confirm a key. Nothing was issued; the same request may succeed later."""

    code = "key-store-unavailable"
    title = "The key store did not answer"
    status = 503
    retryable = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key's secret is, and the AWS of its tenant's cell."""

    aws: Aws
    facts: TenantFacts
    secret: str


def place_of(key: ApiKey, actor: Actor) -> Place:
    """Connect to the cell of a key's tenant; CloudTrail will show tenant and actor."""
    facts = facts_of(key.tenant)
    aws = clouds.connect_to(facts.cell, session_name=naming.session_name(facts.id, actor))
    return Place(aws, facts, naming.key_secret(facts, key.pk))


def put_pending(place: Place, version: KeyVersion, text: str) -> Secret:
    """Write a version's text as AWSPENDING, making the key's secret if need be, and give the secret as it was read back.

    Raises KeyStoreError, after which nobody knows whether it is there: abandon the version, never repeat it.
    """
    token = staging.token_of(version.pk)
    try:
        _ensure_container(place, is_first=version.number == 1)
        if version.claimed_until is None or version.claimed_until <= timezone.now():
            raise KeyStoreError("Making the key's secret took too long, so nothing was issued. Try again in a moment.")
        place.aws.secretsmanager.put_value(place.secret, text, token=token, stages=(staging.PENDING,))
        seen = place.aws.secretsmanager.get_secret(place.secret)
    except AwsError as error:
        raise _unavailable(error, version.key_id) from error
    if staging.PENDING not in seen.versions.get(token, ()):
        raise KeyStoreError("The key was written and could not be read back.")
    return seen


def is_answer_lost(error: Exception) -> bool:
    """Say whether a call of :func:`put_pending` may still be carried out, because nobody heard its answer."""
    return isinstance(error.__cause__, AwsError) and error.__cause__.answer_lost


def has_followed(key: ApiKey, current: KeyVersion) -> bool:
    """Say whether the store has handed out the current version since its promotion; of an imported version there is nothing to hand out.

    Until then it hands out the predecessor, which must go on verifying, and the current version is findable by AWSPENDING alone, which the
    next version would take away from it.
    """
    return current.algorithm != Algorithm.OURS or key.store_state != StoreState.UNSETTLED or key.store_settled_at is not None


def converge(key_id: str, *, actor: Actor) -> str:
    """Bring a key's secret to what its rows say and give the resulting store state; never raises for what AWS answers.

    When another worker holds the claim, or AWS refuses, the state stays *unsettled* and the clock comes back to it. Whatever else breaks
    is raised, once the key says so and the clock's next try is put off: nothing hides it, and it is not tried again every few seconds.
    """
    hold = claims.take(key_id)
    if hold is None:
        return str(ApiKey.objects.values_list("store_state", flat=True).get(pk=key_id))
    try:
        return settle(hold, place_of(hold.key, actor))
    except Exception as error:
        claims.postpone(hold, type(error).__name__)
        raise


def settle(hold: Hold, place: Place, *, seen: Secret | None = None) -> str:
    """Do what :func:`converge` does for a claim that is held. ``seen`` is what the caller has just read back, which saves a call."""
    try:
        return _settle(hold, place, seen)
    except AwsError as error:
        code = error.aws_code or error.code
        logger.warning("a key's secret was not settled", extra={"key": hold.key.pk, "error": code})
        return claims.postpone(hold, code)


def _settle(hold: Hold, place: Place, seen: Secret | None) -> str:
    for _ in range(ROUNDS):
        are_rows_newer = seen is not None
        secret, seen = seen or place.aws.secretsmanager.find_secret(place.secret), None
        if hold.has_run_out:
            return claims.overslept(hold)
        if secret is not None and _takes_from_a_stranger(secret, hold.wanted):
            are_rows_newer = True
            if not claims.read_again(hold):
                return claims.overslept(hold)
        done = not _is_lost(secret, hold.wanted) and _follow(place, secret, hold.wanted)
        # To say how the store stands takes a look that is newer than the rows: with an older one a version may have come and gone since.
        state = None if are_rows_newer else _record(hold, secret, done=done)
        if state is not None:
            return state
    return claims.release(hold)


def _record(hold: Hold, secret: Secret | None, *, done: bool) -> str | None:
    """Write down how the store was found to stand; None when there is more to do."""
    if _is_lost(secret, hold.wanted):
        return settling.record_loss(hold)
    if not done:
        return None
    state = settling.record_settled(hold)
    if state is None and not claims.read_again(hold):
        return claims.overslept(hold)
    return state


def _takes_from_a_stranger(secret: Secret, wanted: Mapping[str, str]) -> bool:
    """Say whether something would be taken from a version that the rows do not know.

    It has ended, or was written after they were read. Rows are written before texts, so rows that are read after the store tell which, and
    nothing is taken away from a version on its way.
    """
    if not wanted:
        return secret.deleted_at is None
    known = wanted.values()
    return any(not move.to and move.off not in known for move in staging.moves(secret.versions, wanted))


def _is_lost(secret: Secret | None, wanted: Mapping[str, str]) -> bool:
    is_live = secret is None or secret.deleted_at is None
    return is_live and staging.is_lost(secret.versions if secret else {}, wanted)


def _follow(place: Place, secret: Secret | None, wanted: Mapping[str, str]) -> bool:
    """Make the calls that lead from the secret that was found to what is wanted; True when there were none to make.

    A secret that waits for its deletion while a version of it is wanted is taken back: somebody deleted it by hand, or a worker that had
    seen no use for it did so just when the next version was written.
    """
    if secret is None:
        return True
    if bool(wanted) == (secret.deleted_at is not None):
        _require_ours(secret, place)
        if wanted:
            place.aws.secretsmanager.restore_secret(place.secret)
        else:
            place.aws.secretsmanager.delete_secret(place.secret, recovery_days=RECOVERY_DAYS)
        return False
    todo = staging.moves(secret.versions, wanted) if wanted else []
    for move in todo:
        _carry_out(place, move)
    return not todo


def _carry_out(place: Place, move: staging.Move) -> None:
    if move.to:
        place.aws.secretsmanager.move_stage(place.secret, move.stage, to_version=move.to, from_version=move.off)
    else:
        place.aws.secretsmanager.remove_stage(place.secret, move.stage, from_version=move.off)


def _ensure_container(place: Place, *, is_first: bool) -> None:
    """Make the key's secret, empty, or find it. One that is there must bear our tags; one that waits for its deletion is taken back.

    Before a key's first version there is none, so that is tried without looking; before any other there should be one.
    """
    found = None if is_first else place.aws.secretsmanager.find_secret(place.secret)
    if found is None:
        if _create_container(place):
            return
        found = place.aws.secretsmanager.get_secret(place.secret)
    _require_ours(found, place)
    if found.deleted_at is not None:
        place.aws.secretsmanager.restore_secret(place.secret)


def _create_container(place: Place) -> bool:
    """Make the secret; False when the name is taken, by one that waits for its deletion as well."""
    try:
        place.aws.secretsmanager.create_secret(
            place.secret,
            token=staging.token_of(place.secret.rpartition("/")[2]),
            value=None,
            tags=naming.tenant_tags(place.facts),
            kms_key_id=kms_key_of(place.facts),
            description=DESCRIPTION,
        )
    except AwsError as error:
        if isinstance(error, AwsAlreadyExistsError) or error.aws_code == "InvalidRequestException":
            return False
        raise
    return True


def kms_key_of(facts: TenantFacts) -> str:
    """The alias of the tenant's own KMS key where it has one, else empty for AWS's own."""
    return naming.names_of(facts).key_alias if facts.tier.isolation_model.has_own_pool else ""


def _require_ours(found: Secret, place: Place) -> None:
    if found.tags.get(naming.TAG_TENANT) != place.facts.id or found.tags.get(naming.TAG_MANAGED_BY) != naming.MANAGED_BY:
        raise AwsError(f"The secret {place.secret} does not bear our tags; it was not touched.", aws_code="not-ours")


def _unavailable(error: AwsError, key_id: str) -> KeyStoreError:
    """What a caller is told: nothing that names an ARN. The log has AWS's words."""
    logger.warning(
        "a key was not written to the store", extra={"key": key_id, "error": error.aws_code or error.code}, exc_info=error
    )
    return KeyStoreError("The key store did not confirm the key, so none was issued. Try again in a moment.")

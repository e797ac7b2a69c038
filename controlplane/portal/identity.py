"""Asking the tenant's user pool who somebody is: the password by SRP, the answer's tokens verified, and that they are this very member's.

The one place of the portal that speaks to Cognito. An unknown address takes the same way with a user name that is nobody's, so that
words and time tell nothing.
"""

from __future__ import annotations

from core.actors import system
from core.aws.errors import AwsError
from core.aws.session import Aws
from core.aws.signing_in import NEW_PASSWORD_REQUIRED, SignIn
from core.aws.tokens import TokenRefusedError, TokenUse, verify
from core.errors import DomainError
from provisioning.identity import Identity, identity_of
from provisioning.people import issuer_of
from tenants import clouds
from tenants.models import Tenant
from tenants.naming import session_name
from tenants.selectors import facts_of

FRESH_SECONDS = 120
WRONG_CODES = frozenset(
    {"NotAuthorizedException", "UserNotFoundException", "UserNotConfirmedException", "PasswordResetRequiredException"}
)
ENDED_CODES = frozenset({"NotAuthorizedException", "ExpiredCodeException", "CodeMismatchException"})


class WrongPasswordError(DomainError):
    """Nobody of this tenant, or not the password: nobody is told which."""

    code = "wrong-password"
    title = "The address or the password is not right"
    status = 422


class SignInAwayError(DomainError):
    """The user pool does not answer, or answers what nobody can use."""

    code = "sign-in-away"
    title = "Signing in is not possible just now"
    status = 503
    retryable = True


class BeginAgainError(DomainError):
    """The time to answer a challenge is over."""

    code = "begin-again"
    title = "Please begin again"


def prove(tenant: Tenant, username: str, password: str) -> str:
    """Prove a password; gives what answers the challenge of a first sign-in, or nothing when that was all.

    Raises WrongPasswordError, SignInAwayError, TokenRefusedError, ConflictError while the pool is not provisioned.
    """
    identity = identity_of(tenant)
    try:
        answer = _aws(tenant).signing_in.start(
            pool_id=identity.pool_id, client_id=identity.client_id, username=username, password=password
        )
    except AwsError as error:
        raise (WrongPasswordError if error.aws_code in WRONG_CODES else SignInAwayError)() from error
    if answer.challenge == NEW_PASSWORD_REQUIRED:
        return answer.session
    check_answer(tenant, identity, username, answer)
    return ""


def choose(tenant: Tenant, username: str, challenge: str, password: str) -> None:
    """Answer the challenge of a first sign-in. Raises InvalidPasswordError, BeginAgainError, SignInAwayError, TokenRefusedError."""
    identity = identity_of(tenant)
    try:
        answer = _aws(tenant).signing_in.change_password(
            client_id=identity.client_id, username=username, session=challenge, new_password=password
        )
    except AwsError as error:
        raise (BeginAgainError if error.aws_code in ENDED_CODES else SignInAwayError)() from error
    check_answer(tenant, identity, username, answer)


def check_answer(tenant: Tenant, identity: Identity, username: str, answer: SignIn) -> None:
    """Verify both tokens, and that they are about one person, this one, of this tenant. Raises TokenRefusedError."""
    if not answer.is_complete:
        raise SignInAwayError(f"The user pool asks for {answer.challenge or 'nothing'}, which the portal cannot answer.")
    issuer = issuer_of(tenant, pool_id=identity.pool_id, client_id=identity.client_id)
    claims = verify(answer.id_token, use=TokenUse.ID, issuer=issuer, fresh_seconds=FRESH_SECONDS)
    access = verify(answer.access_token, use=TokenUse.ACCESS, issuer=issuer, fresh_seconds=FRESH_SECONDS)
    if claims["sub"] != access["sub"]:
        raise TokenRefusedError("two-people")
    if claims.get("custom:tenantId") != tenant.pk:
        raise TokenRefusedError("wrong-tenant")
    if claims.get("cognito:username") != username:
        raise TokenRefusedError("wrong-person")


def _aws(tenant: Tenant) -> Aws:
    facts = facts_of(tenant)
    return clouds.connect_to(facts.cell, session_name=session_name(facts.id, system("portal")))

"""Signing a person in to a Cognito user pool by SRP: the password never leaves this process.

The arithmetic is warrant-lite's (https://github.com/capless/warrant-lite), used for SRP alone: its token verification checks neither audience
nor issuer and is never called. Its switch of the process-wide locale fails on hosts without ``en_US.UTF-8`` and is not safe across threads;
it is replaced by one that does nothing, because the C locale already gives the English names that Cognito wants.
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-authentication-flow-methods.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import warrant_lite

from core.aws.errors import AwsError
from core.aws.gateway import Gateway
from core.errors import DomainError


@contextmanager
def _unchanged_locale(new_locale: object) -> Iterator[None]:
    yield


warrant_lite.temp_locale = _unchanged_locale

NEW_PASSWORD_REQUIRED = "NEW_PASSWORD_REQUIRED"  # noqa: S105  (the name of a challenge)


POLICY_CODES = frozenset({"InvalidPasswordException", "InvalidParameterException"})
"""How Cognito says that a password does not fit the pool's policy: the second for what its pattern excludes, blanks at the ends say."""


class InvalidPasswordError(DomainError):
    """The pool's policy refuses the password."""

    code = "password-refused"
    title = "The password does not fit the policy"
    status = 422


@dataclass(frozen=True, slots=True)
class SignIn:
    """What Cognito answered: tokens, or the challenge that comes next with the session that answers it. Nothing of it is ever logged."""

    challenge: str = ""
    session: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)
    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)

    @property
    def is_complete(self) -> bool:
        """True when tokens were given."""
        return bool(self.access_token)


class SigningIn(Gateway):
    """The public, unsigned half of Cognito: what a person's browser would call."""

    def start(self, *, pool_id: str, client_id: str, username: str, password: str) -> SignIn:
        """Prove the password by SRP; raises AwsAccessDeniedError for a wrong one and for an unknown or disabled person alike."""
        srp = warrant_lite.WarrantLite(username, password, pool_id, client_id, client=self._client)
        first = self._call(
            self._client.initiate_auth, AuthFlow="USER_SRP_AUTH", AuthParameters=srp.get_auth_params(), ClientId=client_id
        )
        answers = srp.process_challenge(first["ChallengeParameters"])
        return self._respond(client_id, first["ChallengeName"], first.get("Session", ""), answers)

    def change_password(self, *, client_id: str, username: str, session: str, new_password: str) -> SignIn:
        """Answer the challenge of a first sign-in; raises InvalidPasswordError when the policy refuses it, AwsError."""
        answers = {"USERNAME": username, "NEW_PASSWORD": new_password}
        try:
            return self._respond(client_id, NEW_PASSWORD_REQUIRED, session, answers)
        except AwsError as error:
            if error.aws_code in POLICY_CODES:
                raise InvalidPasswordError from None
            raise

    def _respond(self, client_id: str, challenge: str, session: str, answers: Mapping[str, str]) -> SignIn:
        optional: dict[str, Any] = {"Session": session} if session else {}
        answer = self._call(
            self._client.respond_to_auth_challenge,
            ClientId=client_id,
            ChallengeName=challenge,
            ChallengeResponses=dict(answers),
            **optional,
        )
        tokens = answer.get("AuthenticationResult", {})
        return SignIn(
            challenge=answer.get("ChallengeName", ""),
            session=answer.get("Session", ""),
            id_token=tokens.get("IdToken", ""),
            access_token=tokens.get("AccessToken", ""),
            refresh_token=tokens.get("RefreshToken", ""),
        )

"""The bare sequence of boto3 calls of an onboarding: recorded from the engine, then made again by boto3 alone for a tenant with new names.

What is made again is exact: the same calls with the same parameters in the same order, but for the tenant's id, the names made from it
and the ids that AWS chose, which are learnt from the answers on the way. Only the time inside the boto3 calls counts; finding the new
parameters does not. So the bare sequence is what a script with no rows, no claims, no records and no second thoughts could do at best.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import ClientError
from botocore.session import Session as CoreSession

from bench.clock import Spent, timed
from bench.customers import Onboarding
from core import ids
from core.aws import credentials
from core.aws.session import register_handler, unregister_handler
from core.ids import TENANT, new_id
from tenants.naming import username

SHORTEST_ID = 8
"""Text in an answer that is shorter is no id to be learnt: ``Enabled``, a status, a number."""
TOKENS = frozenset({"ClientRequestToken"})


@dataclass(slots=True)
class Step:
    """One call as the engine made it. ``error`` is AWS's code where the answer was an error, such as a look-up that found nothing.

    ``signer`` is the access key that it was signed with: the control plane's user, its role's session, or a tenant's vended one.
    """

    service: str
    operation: str
    parameters: dict[str, Any]
    signer: str
    answer: Any = None
    error: str = ""


@dataclass(slots=True)
class Trace:
    """The calls of one onboarding, and whose it was."""

    steps: list[Step] = field(default_factory=list)
    tenant_id: str = ""
    email: str = ""

    def of(self, onboarding: Onboarding) -> Trace:
        self.tenant_id, self.email = onboarding.tenant_id, onboarding.email
        return self


class SequenceChangedError(RuntimeError):
    """boto3 alone got another kind of answer than the engine did, so the two cannot be compared."""


@contextmanager
def recorded() -> Iterator[Trace]:
    """Record the calls that the block makes through the product's gateways, in order; for one thread."""
    trace = Trace()

    def on_call(*, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        chosen = credentials.current.get()
        step = Step(
            model.service_model.service_name, model.name, copy.deepcopy(params), (chosen.access_key if chosen else "") or ""
        )
        context["bench"] = step
        trace.steps.append(step)

    def on_answer(*, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        step = context["bench"]
        step.answer = _without_metadata(parsed)
        step.error = parsed.get("Error", {}).get("Code", "")

    register_handler("provide-client-params", on_call)
    register_handler("after-call", on_answer)
    try:
        yield trace
    finally:
        unregister_handler("provide-client-params", on_call)
        unregister_handler("after-call", on_answer)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the boto3 calls alone took: together, and each with its name, in order."""

    spent: Spent
    each: tuple[tuple[str, Spent], ...]

    @property
    def calls(self) -> int:
        return len(self.each)


class _Signer(Credentials):
    """Whose name the script's clients sign in. Chosen between calls, so that no session needs clients of its own."""

    def __init__(self, user: ReadOnlyCredentials) -> None:
        super().__init__("set-by-each-call", "set-by-each-call")
        self.current = user

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return self.current

    def load_credentials(self) -> Credentials:
        return self


class Script:
    """boto3 clients as a script would have them: made once, kept open, and with boto3's own settings."""

    def __init__(self, endpoint_url: str, region: str) -> None:
        self._endpoint_url, self._region = endpoint_url, region
        self._user = _user()
        self._signer = _Signer(self._user)
        core = CoreSession()
        core.register_component("credential_provider", self._signer)
        self._session = boto3.session.Session(botocore_session=core, region_name=region)
        self._clients: dict[str, Any] = {}

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            make: Any = self._session.client
            self._clients[service] = make(service, endpoint_url=self._endpoint_url, config=Config(proxies={}))
        return self._clients[service]

    def replay(self, trace: Trace) -> Replayed:
        """Make the calls of a trace again for a tenant that nobody has heard of. Raises SequenceChangedError."""
        names, each = _Names(trace), list[tuple[str, Spent]]()
        signers = {self._user.access_key: self._user}
        for step in trace.steps:
            parameters = names.renew(step.parameters)
            method = getattr(self._client(step.service), xform_name(step.operation))
            self._signer.current = signers[step.signer]
            error, answer = "", None
            with timed() as spent:
                try:
                    answer = method(**parameters)
                except ClientError as failure:
                    error = failure.response.get("Error", {}).get("Code", "")
            if error != step.error:
                raise SequenceChangedError(
                    f"{step.service} {step.operation}: {error or 'no error'} instead of {step.error or 'none'}"
                )
            each.append((f"{step.service} {step.operation}", spent))
            names.learn(step.answer, answer)
            if step.operation == "AssumeRole" and answer is not None:
                new = answer["Credentials"]
                session = ReadOnlyCredentials(new["AccessKeyId"], new["SecretAccessKey"], new["SessionToken"])
                signers[step.answer["Credentials"]["AccessKeyId"]] = session
        return Replayed(sum((spent for _, spent in each), Spent()), tuple(each))


def _user() -> ReadOnlyCredentials:
    found = CoreSession().get_credentials()
    if found is None:
        raise RuntimeError("the cell must be prepared first: there are no credentials of the control plane's user")
    return found.get_frozen_credentials()


class _Names:
    """From the recorded tenant's names and ids to those of a new one."""

    def __init__(self, trace: Trace) -> None:
        old, new = trace.tenant_id, new_id(TENANT)
        email = trace.email.replace("@", "+bare@")
        self._pairs = {username(old, trace.email): username(new, email), trace.email: email}
        self._pairs[ids.body_of(old)] = ids.body_of(new)

    def renew(self, value: Any) -> Any:
        if isinstance(value, str):
            for old, new in sorted(self._pairs.items(), key=lambda pair: -len(pair[0])):
                value = value.replace(old, new)
            return value
        if isinstance(value, dict):
            return {key: uuid.uuid4().hex if key in TOKENS else self.renew(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.renew(item) for item in value]
        return value

    def learn(self, old: Any, new: Any) -> None:
        """Walk two answers side by side; where text differs after renewal, the new text stands for the old from here on."""
        if isinstance(old, dict) and isinstance(new, dict):
            for key in old.keys() & new.keys():
                self.learn(old[key], new[key])
        elif isinstance(old, list) and isinstance(new, list):
            for one, other in zip(old, new, strict=False):
                self.learn(one, other)
        elif (
            isinstance(old, str) and isinstance(new, str) and len(old) >= SHORTEST_ID and " " not in old and self.renew(old) != new
        ):
            self._pairs[old] = new


def _without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata" and not hasattr(value, "read")}

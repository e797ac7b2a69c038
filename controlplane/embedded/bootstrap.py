"""Gives the control plane its least-privilege footing in the stand-in. The one place that holds the stand-in's root key.

What is made, as root, in the account that the stand-in simulates:

* a user, whose access key is all that the product's processes get: it may do nothing but assume one role;
* that role, the *provisioner*: what the control plane works under, with the policy of ``provisioning.isolation.policies``.

Every run checks all of it and mends what differs, so a newer version of the policy takes effect at the next start, and a stand-in that
has lost its state is furnished again (``Footing.made_anew`` says so; it is how ``up`` learns that tenants must be repaired). Nothing
that does not carry our tag is touched. On AWS the same is made by hand or by ``templates/platform``; root keys are never involved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from core.errors import DomainError
from provisioning.isolation.documents import as_text
from provisioning.isolation.policies import base_user_policy, control_plane_trust, provisioner_policy
from tenants.facts import Capabilities, CellFacts
from tenants.naming import MANAGED_BY, TAG_MANAGED_BY, names_of_cell

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import TagTypeDef

CELL_CODE = "local"
ENVIRONMENT = "dev"
PARTITION = "aws"
ACCOUNT_ID = "000000000000"
STANDIN_CAPABILITIES = Capabilities(**dict.fromkeys(Capabilities.__slots__, False))
USER = "controlplane"
POLICY = "least-privilege"
TAGS: list[TagTypeDef] = [{"Key": TAG_MANAGED_BY, "Value": MANAGED_BY}]
UNKNOWN_KEY = frozenset({"InvalidClientTokenId", "UnrecognizedClientException"})
_ROOT = ("test", "test")


class BootstrapError(DomainError):
    """The stand-in could not be furnished."""

    code = "bootstrap"
    title = "The AWS stand-in could not be prepared"


@dataclass(frozen=True, slots=True)
class Footing:
    """What the product works with: the user's key, and the role that it may assume. ``made_anew``: the role had not been there."""

    access_key_id: str
    secret_access_key: str
    role_arn: str
    made_anew: bool


def cell_facts(region: str) -> CellFacts:
    """The one cell of the embedded stack, as far as policies and names need to know it before there is a row for it."""
    return CellFacts("", CELL_CODE, ENVIRONMENT, PARTITION, region, ACCOUNT_ID, capabilities=STANDIN_CAPABILITIES)


def prepare(endpoint_url: str, region: str, known_key: Mapping[str, str]) -> Footing:
    """See to it that user and role are there as they should be; repeatable.

    ``known_key`` is the access key of an earlier run (``access_key_id``, ``secret_access_key``), or empty: it is kept while the stand-in
    still knows it. Raises BootstrapError when the stand-in refuses, or when it would let the user do more than it may.
    """
    try:
        iam = _client("iam", endpoint_url, region, *_ROOT)
        cell = cell_facts(region)
        role, role_arn = names_of_cell(cell).control_plane_role, names_of_cell(cell).control_plane_role_arn
        user_arn = _ensure_user(iam, as_text(base_user_policy([cell])))
        trust, policy = as_text(control_plane_trust(cell, user_arn)), as_text(provisioner_policy(cell))
        made_anew = _ensure_role(iam, role, trust, policy)
        key = _ensure_key(iam, known_key)
        footing = Footing(*key, role_arn, made_anew)
        _prove(endpoint_url, region, footing)
    except (ClientError, BotoCoreError) as error:
        raise BootstrapError(f"The AWS stand-in refused to be prepared: {error}") from error
    return footing


def is_known(endpoint_url: str, region: str, footing: Footing) -> bool:
    """Say whether the stand-in still knows the product's key; one that does not answer has forgotten nothing. Never raises."""
    try:
        _client("sts", endpoint_url, region, footing.access_key_id, footing.secret_access_key).get_caller_identity()
    except ClientError as error:
        return error.response.get("Error", {}).get("Code") not in UNKNOWN_KEY
    except BotoCoreError:
        return True
    return True


@cache
def _session() -> boto3.session.Session:
    """One session for all clients here: it keeps the service descriptions, which cost more to read than a client to make."""
    return boto3.session.Session()


@lru_cache(maxsize=8)
def _client(service: str, endpoint_url: str, region: str, key_id: str, secret: str, token: str | None = None) -> Any:
    return _session().client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint_url,
        region_name=region,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(connect_timeout=3, read_timeout=15, retries={"mode": "legacy", "max_attempts": 0}, proxies={}),
    )


def _is_missing(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") == "NoSuchEntity"


def _ensure_user(iam: IAMClient, policy: str) -> str:
    try:
        user = iam.get_user(UserName=USER)["User"]
        _check_ours(USER, iam.list_user_tags(UserName=USER)["Tags"])
    except ClientError as error:
        if not _is_missing(error):
            raise
        user = iam.create_user(UserName=USER, Tags=TAGS)["User"]
    iam.put_user_policy(UserName=USER, PolicyName=POLICY, PolicyDocument=policy)
    return user["Arn"]


def _ensure_role(iam: IAMClient, role: str, trust: str, policy: str) -> bool:
    """Make or mend the role; says whether it had to be made."""
    made_anew = False
    try:
        iam.get_role(RoleName=role)
        _check_ours(role, iam.list_role_tags(RoleName=role)["Tags"])
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust)
    except ClientError as error:
        if not _is_missing(error):
            raise
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust, Tags=TAGS, MaxSessionDuration=3600)
        made_anew = True
    iam.put_role_policy(RoleName=role, PolicyName=POLICY, PolicyDocument=policy)
    return made_anew


def _ensure_key(iam: IAMClient, known: Mapping[str, str]) -> tuple[str, str]:
    present = [key["AccessKeyId"] for key in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]]
    key_id, secret = known.get("access_key_id", ""), known.get("secret_access_key", "")
    if key_id in present and secret:
        return key_id, secret
    for stale in present:
        iam.delete_access_key(UserName=USER, AccessKeyId=stale)
    made = iam.create_access_key(UserName=USER)["AccessKey"]
    return made["AccessKeyId"], made["SecretAccessKey"]


def _prove(endpoint_url: str, region: str, footing: Footing) -> None:
    """Assume the role as the product will, and see that neither user nor role may do what only root may."""
    key = (footing.access_key_id, footing.secret_access_key)
    sts = _client("sts", endpoint_url, region, *key)
    session = sts.assume_role(RoleArn=footing.role_arn, RoleSessionName="bootstrap")["Credentials"]
    for who, credentials in (
        ("user", key),
        ("role", (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])),
    ):
        try:
            _client("iam", endpoint_url, region, *credentials).list_access_keys(UserName=USER)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in ("AccessDenied", "AccessDeniedException"):
                raise
        else:
            raise BootstrapError(
                f"The stand-in let the control plane's {who} list access keys: it does not enforce IAM as it must."
            )


def _check_ours(name: str, tags: Any) -> None:
    if not any(tag["Key"] == TAG_MANAGED_BY and tag["Value"] == MANAGED_BY for tag in tags):
        raise BootstrapError(f"{name} exists in the stand-in and does not carry our tag; it is left alone.")

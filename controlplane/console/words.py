"""The words and tones in which the console speaks of states, kinds and steps. Pure.

A tone is one of ``good``, ``busy``, ``warn``, ``bad``, ``quiet``; colour is never the only sign, each badge says its state. Unknown
words come out as they are, with blanks for underscores, so that a new kind below never breaks a page here.
"""

from __future__ import annotations

from datetime import timedelta

from controlplane.console.key_words import STORE_TONES
from core.actors import Actor, ActorKind
from tenants.keys.words import STAGE_TONES, STATE_TONES

TENANT_TONES = {
    "requested": "busy",
    "provisioning": "busy",
    "active": "good",
    "suspended": "warn",
    "offboarding": "warn",
    "closed": "quiet",
}
OPERATION_TONES = {
    "pending": "quiet",
    "running": "busy",
    "waiting": "busy",
    "succeeded": "good",
    "failed": "bad",
    "abandoned": "quiet",
}
RESOURCE_TONES = {
    "intended": "busy",
    "present": "good",
    "drifted": "bad",
    "retained": "quiet",
    "removing": "busy",
    "absent": "quiet",
}
CELL_TONES = {"registered": "quiet", "preparing": "busy", "ready": "good", "draining": "warn"}
INVITATION_TONES = {"none": "good", "sending": "busy", "delayed": "bad", "open": "busy", "expired": "warn"}
TONES = {
    "tenant": TENANT_TONES,
    "operation": OPERATION_TONES,
    "step": OPERATION_TONES,
    "resource": RESOURCE_TONES,
    "cell": CELL_TONES,
    "key": STATE_TONES,
    "stage": STAGE_TONES,
    "store": STORE_TONES,
    "invitation": INVITATION_TONES,
}

KINDS = {
    "boundary": "permission boundary",
    "user_pool": "Cognito user pool",
    "user_group": "Cognito group",
    "pool_domain": "hosted sign-in domain",
    "identity_provider": "tenant's identity provider",
    "app_client": "Cognito app client",
    "administrator": "first administrator",
    "bucket": "shared S3 bucket",
    "table": "shared DynamoDB table",
    "storage_prefix": "S3 prefix",
    "kms_key": "KMS key",
    "access_role": "access role",
    "pooled_access": "scoped access in the pool",
    "secret": "secret container",
    "log_group": "log group",
    "stack": "CloudFormation stack",
}
QUOTAS = {
    "user_pools": "Cognito user pools",
    "roles": "IAM roles",
    "stacks": "CloudFormation stacks",
    "secrets": "Secrets",
    "buckets": "S3 buckets",
    "kms_keys": "KMS keys",
}
OPERATIONS = {
    "prepare_cell": "Prepare cell",
    "onboard": "Onboard",
    "change_tier": "Change tier",
    "suspend": "Suspend",
    "resume": "Resume",
    "offboard": "Offboard",
    "undo_offboard": "Undo offboarding",
    "deprovision": "Remove everything",
    "repair": "Repair",
    "connect": "Connect identity provider",
    "abandon": "Abandon and clean up",
}
WHYS = {
    "should look different": "its settings change",
    "is recorded as drifted": "is not as promised",
    "is recorded as intended": "was begun and not read back",
}
STEP_VERBS = {"ensure": "Ensure", "remove": "Remove", "retain": "Keep"}


def why_of(why: str) -> str:
    """Give a planner's reason as an operator would say it."""
    return WHYS.get(why, why)


def plain(text: str) -> str:
    """Give an identifier as words."""
    return text.replace("_", " ")


def tone_of(family: str, state: str) -> str:
    """Give the tone of a state in one of the families of TONES."""
    return TONES.get(family, {}).get(state, "quiet")


def kind_of(kind: str) -> str:
    """Give a resource kind in words: ``user_pool`` is *Cognito user pool*."""
    return KINDS.get(kind, plain(kind))


def resource_of(kind: str, name: str) -> str:
    """Give a resource in words; the name is added where it says more than the kind."""
    words = kind_of(kind)
    if name in ("", "own", kind) or (name == "shared" and name in words):
        return words
    return f"{words} (shared)" if name == "shared" else f"{words} “{name}”"


def left_behind(text: str) -> str:
    """Give an entry of an operation's left-behinds, ``kind name``, in words."""
    kind, _, name = text.partition(" ")
    return resource_of(kind, name)


def operation_of(kind: str) -> str:
    """Give an operation kind in words."""
    return OPERATIONS.get(kind, plain(kind).capitalize())


def step_of(action: str, kind: str, name: str) -> str:
    """Give a step in words: *Ensure the Cognito user pool*."""
    return f"{STEP_VERBS.get(action, plain(action).capitalize())} the {resource_of(kind, name)}"


def who(actor: str) -> str:
    """Give a recorded actor in words: ``operator:ada`` is *ada*, ``system:sweep`` is *the system (sweep)*."""
    try:
        parsed = Actor.parse(actor)
    except ValueError:
        return actor or "nobody"
    if parsed.kind is ActorKind.SYSTEM:
        return f"the system ({parsed.id})"
    return parsed.id if parsed.kind is ActorKind.OPERATOR else f"{parsed.kind.value} {parsed.id}"


def lasted(span: timedelta | None) -> str:
    """Give a duration in at most two units: ``40 ms``, ``1.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 10 min``, ``6 days``."""
    if span is None:
        return ""
    seconds = max(span.total_seconds(), 0.0)
    if seconds < 1:
        return f"{max(1, round(seconds * 1000))} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 2 * 86_400:
        return f"{whole // 3_600} h {whole % 3_600 // 60:02d} min"
    return f"{whole // 86_400} days"


ERRORS = {
    "AccessDeniedException": "AWS refused the call: the control plane's role may not do this.",
    "AccessDenied": "AWS refused the call: the control plane's role may not do this.",
    "LimitExceededException": "An AWS quota of this account is used up.",
    "ThrottlingException": "AWS asked us to slow down, several times in a row.",
    "TooManyRequestsException": "AWS asked us to slow down, several times in a row.",
    "not-ours": "Something of this name exists in AWS and is not ours. It was left untouched.",
    "not-observed": "AWS accepted the call, but what was read back is not what was promised.",
    "missing-dependency": "Something that this stands on is missing. Repairing its owner heals it.",
    "internal-error": "The control plane itself stumbled. Its log has the details.",
}


def error_of(code: str) -> str:
    """Give what an error code means to an operator; empty for a code that speaks for itself."""
    return ERRORS.get(code, "")

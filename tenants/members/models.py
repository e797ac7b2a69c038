"""Members, their second factors, and what a tenant has decided about them. Constraints say what must never be; services say what happens."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from core.ids import CONNECTION, MEMBER, new_id
from tenants.models import Tenant


def new_member_id() -> str:
    """A fresh ``mbr_`` id."""
    return new_id(MEMBER)


def new_mark() -> str:
    """A fresh ``con_`` id."""
    return new_id(CONNECTION)


class Role(models.TextChoices):
    """What a member may do; ``tenants.members.roles`` says who may give and take which."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Administrator"
    DEVELOPER = "developer", "Developer"
    VIEWER = "viewer", "Viewer"


class MemberState(models.TextChoices):
    """Where a member stands. Each comment says who acts next."""

    INVITED = "invited"  # the invited person, until the invitation ends; then whoever invites again or cancels
    ACTIVE = "active"  # nobody
    DISABLED = "disabled"  # whoever may enable the member again
    REMOVED = "removed"  # nobody, ever again; the same address may be invited anew, as another member


LIVING = (MemberState.INVITED, MemberState.ACTIVE, MemberState.DISABLED)
"""States of people who still belong to their tenant."""


class DirectoryState(models.TextChoices):
    """How the tenant's user pool stands to what it should say of a member. Each comment says who acts next."""

    UNSETTLED = "unsettled"  # whoever has just changed the member, and after it the clock
    SETTLED = "settled"  # nobody: it was made so, at ``directory_settled_at``


class LinkPurpose(models.TextChoices):
    """What a mailed link is for."""

    NONE = "", "none"
    INVITATION = "invitation", "invitation"
    PASSWORD = "password", "password"  # a purpose


class Member(models.Model):
    """A person of one tenant.

    ``email`` is as it was typed, ``address`` the same in one spelling of upper and lower case, ``username`` the blind name in the user pool.
    ``is_first`` is the administrator whom the onboarding makes, and who may come in without a link of ours. ``epoch`` is what every session
    began in: raising it ends them all at their next request. ``revision`` counts edits. ``mail_wanted`` is the link that is still to be
    made and sent, ``link_digest`` what is kept of the one that was sent last, ``link_claimed_until`` how long one who follows it keeps others
    out. ``password_left_at`` is when the tenant's sign-in moved and the password stayed behind, until another is chosen; ``former_pool`` is
    the user pool that was left, while their user may still be in it. ``vouched_source`` and ``vouched_subject`` say by which name which
    identity provider knows the member (``tenants.members.vouched``).
    """

    id = models.CharField(primary_key=True, max_length=40, default=new_member_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="members")
    email = models.EmailField(max_length=254)
    address = models.CharField(max_length=320, editable=False)
    name = models.CharField(max_length=200, blank=True)
    username = models.CharField(max_length=128)
    role = models.CharField(max_length=16, choices=Role.choices)
    state = models.CharField(max_length=16, choices=MemberState.choices, default=MemberState.INVITED)
    state_reason = models.CharField(max_length=500, blank=True)
    is_first = models.BooleanField(default=False)
    invited_by = models.CharField(max_length=200)
    invited_at = models.DateTimeField()
    invitation_expires_at = models.DateTimeField(null=True, blank=True)
    joined_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    last_signed_in_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    epoch = models.PositiveIntegerField(default=1)
    revision = models.PositiveIntegerField(default=1)
    mail_wanted = models.CharField(max_length=16, choices=LinkPurpose.choices, blank=True, default=LinkPurpose.NONE)
    mail_due_at = models.DateTimeField(null=True, blank=True)
    mail_failures = models.PositiveIntegerField(default=0)
    mail_error = models.CharField(max_length=100, blank=True)
    mail_sent_at = models.DateTimeField(null=True, blank=True)
    link_purpose = models.CharField(max_length=16, choices=LinkPurpose.choices, blank=True, default=LinkPurpose.NONE)
    link_digest = models.CharField(max_length=64, blank=True)
    link_expires_at = models.DateTimeField(null=True, blank=True)
    link_claimed_until = models.DateTimeField(null=True, blank=True)
    vouched_source = models.CharField(max_length=64, blank=True)
    vouched_subject = models.CharField(max_length=64, blank=True)
    vouched_since = models.DateTimeField(null=True, blank=True)
    directory_state = models.CharField(max_length=16, choices=DirectoryState.choices, default=DirectoryState.UNSETTLED)
    directory_generation = models.PositiveIntegerField(default=1)
    directory_claimed_until = models.DateTimeField(null=True, blank=True)
    directory_due_at = models.DateTimeField(null=True, blank=True)
    directory_failures = models.PositiveIntegerField(default=0)
    directory_error = models.CharField(max_length=100, blank=True)
    directory_settled_at = models.DateTimeField(null=True, blank=True)
    former_pool = models.CharField(max_length=64, blank=True)
    password_left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["tenant", "state", "-id"], name="member_tenant_state_idx"),
            models.Index(fields=["directory_due_at"], name="member_unsettled_idx", condition=Q(directory_state="unsettled")),
            models.Index(fields=["mail_due_at"], name="member_mail_idx", condition=~Q(mail_wanted="")),
            models.Index(fields=["link_digest"], name="member_link_idx", condition=~Q(link_digest="")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "address"], condition=Q(state__in=["invited", "active", "disabled"]), name="member_one_an_address"
            ),
            models.UniqueConstraint(fields=["tenant"], condition=Q(is_first=True), name="member_one_first"),
            models.UniqueConstraint(
                fields=["tenant", "vouched_source", "vouched_subject"],
                condition=~Q(vouched_subject="") & Q(state__in=["invited", "active", "disabled"]),
                name="member_one_vouched",
            ),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="member_role_known"),
            models.CheckConstraint(condition=Q(state__in=MemberState.values), name="member_state_known"),
            models.CheckConstraint(condition=Q(directory_state__in=DirectoryState.values), name="member_directory_state_known"),
            models.CheckConstraint(
                condition=Q(state="removed", ended_at__isnull=False) | (~Q(state="removed") & Q(ended_at__isnull=True)),
                name="member_removed_has_time",
            ),
            models.CheckConstraint(
                condition=Q(link_digest="") | Q(link_expires_at__isnull=False, link_digest__regex=r"^[0-9a-f]{64}$"),
                name="member_link_ends",
            ),
            models.CheckConstraint(
                condition=Q(vouched_source="", vouched_subject="", vouched_since__isnull=True)
                | Q(vouched_source__regex=r"^[0-9a-f]{64}$", vouched_subject__regex=r"^[0-9a-f]{64}$", vouched_since__isnull=False),
                name="member_vouched_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email


class Device(models.Model):
    """A member's confirmed authenticator. ``secret`` is encrypted; no code of a time step up to ``last_step`` is good again."""

    member = models.OneToOneField(Member, on_delete=models.CASCADE, related_name="device")
    secret = models.CharField(max_length=300)
    last_step = models.BigIntegerField(default=-1)
    confirmed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"authenticator of {self.member_id}"


class MemberPolicy(models.Model):
    """What one tenant has decided about its people; without a row the defaults hold."""

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="member_policy")
    totp_required = models.BooleanField(default=False)
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name_plural = "member policies"

    def __str__(self) -> str:
        return f"{self.tenant_id}: second factor {'required' if self.totp_required else 'optional'}"


class ConnectionKind(models.TextChoices):
    """How an identity provider is spoken to."""

    SAML = "saml", "SAML"
    OIDC = "oidc", "OpenID Connect"


class Connection(models.Model):
    """A tenant's own identity provider: how the user pool reaches it, and whether the tenant's people sign in through it.

    ``details`` are what Cognito is told and may be shown, ``secret`` is the client secret, encrypted and never shown again. ``mark`` is new with
    every save, and ``good_mark`` the one under which a try went well last: the connection is on only while the two are the same. ``tried_*`` is
    about the last try, good or not. ``refused`` is the code with which the pool refused these details; they are not in it then.
    """

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="connection")
    kind = models.CharField(max_length=8, choices=ConnectionKind.choices)
    details = models.JSONField(default=dict)
    secret = models.CharField(max_length=3_000, blank=True)
    email_claim = models.CharField(max_length=256)
    domains = models.JSONField(default=list, blank=True)
    mark = models.CharField(max_length=40, default=new_mark)
    good_mark = models.CharField(max_length=40, blank=True)
    is_on = models.BooleanField(default=False)
    switched_at = models.DateTimeField(null=True, blank=True)
    saved_at = models.DateTimeField()
    refused = models.CharField(max_length=100, blank=True)
    tried_mark = models.CharField(max_length=40, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    tried_by = models.CharField(max_length=200, blank=True)
    tried_outcome = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=ConnectionKind.values), name="connection_kind_known"),
            models.CheckConstraint(condition=Q(is_on=False) | Q(good_mark=F("mark")), name="connection_on_was_tried"),
            models.CheckConstraint(
                condition=Q(kind="saml", secret="") | (Q(kind="oidc") & ~Q(secret="")), name="connection_secret"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} connection of {self.tenant_id}"

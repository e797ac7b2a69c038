"""Sessions of the portal, planted without Cognito."""

from __future__ import annotations

import time

from django.conf import settings
from django.test import Client

from controlplane.portal.sessions import KEY, PREFIX, PortalSession
from tenants.members.models import Member


def plant(member: Member, *, began: float | None = None, seen: float | None = None) -> str:
    """Give the key of a session as a finished sign-in leaves it."""
    now = time.time()
    session = PortalSession()
    session[KEY] = {
        "member": member.pk,
        "tenant": member.tenant_id,
        "epoch": member.epoch,
        "how": "password",
        "began": now if began is None else began,
        "seen": now if seen is None else seen,
    }
    session.save()
    return str(session.session_key)


def signed_in(member: Member) -> Client:
    """A browser in which this member has just signed in."""
    client = Client()
    client.cookies[settings.PORTAL_SESSION_COOKIE_NAME] = plant(member)
    client.cookies[settings.PORTAL_SESSION_COOKIE_NAME]["path"] = PREFIX
    return client

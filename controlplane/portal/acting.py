"""How often a tenant's people may act: a limit for each of them, and one for all of them together, asked before any view runs.

The narrow one is asked first, so that one person's flood does not use up what the others have. Looking at pages is not limited, and signing out is
never refused; guesses at a sign-in have counts of their own (``throttle``).

Who is refused loses nothing that they have typed: the page says how long to wait and holds all of it, to be sent again with one button. What is
secret is not written into a page, and neither is a file; then the way back is all there is.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from controlplane import doors
from controlplane.portal.pages import page
from controlplane.redaction import is_secret_name
from tenants.limits.decision import Decision
from tenants.limits.headers import retry_after_seconds
from tenants.members.models import Member

LOOKING = frozenset({"GET", "HEAD"})
ALWAYS = frozenset({"sign-out"})
"""Routes that no limit holds up."""
ALSO_SECRET = frozenset({"again", "code"})
"""Fields whose names do not say that they are secret: a password typed twice, a one-time code."""
MOST_FIELDS, MOST_CHARACTERS = 200, 100_000


def refuse(request: HttpRequest, member: Member, name: str) -> HttpResponse | None:
    """Charge an act to the limits; gives the page for somebody who has to wait, None for everybody else."""
    if request.method in LOOKING or name in ALWAYS:
        return None
    for limit, who in ((doors.MEMBER, member.pk), (doors.TENANT, member.tenant_id)):
        decision = doors.ask(limit, who)
        if not decision.is_admitted:
            return _wait(request, decision)
    return None


def _wait(request: HttpRequest, decision: Decision) -> HttpResponse:
    response = page(
        request,
        "status_too_many",
        status=429,
        seconds=retry_after_seconds(decision) or 1,
        is_own=decision.refused_by == doors.MEMBER,
        typed=typed_in(request),
        again_url=request.get_full_path(),
    )
    doors.mark(response, decision)
    return response


def typed_in(request: HttpRequest) -> list[tuple[str, str]] | None:
    """Give the fields that were sent, to be sent again; None when they must not be written into a page, or are too much for one."""
    fields = [(name, str(value)) for name, values in request.POST.lists() for value in values if name != "csrfmiddlewaretoken"]
    if request.FILES or any(is_secret_name(name) or name in ALSO_SECRET for name, _ in fields):
        return None
    if len(fields) > MOST_FIELDS or sum(len(value) for _, value in fields) > MOST_CHARACTERS:
        return None
    return fields

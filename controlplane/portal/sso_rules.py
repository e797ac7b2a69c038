"""Who may use which pages about the organisation's own identity provider: owners, because whoever sets it decides who everybody is."""

from __future__ import annotations

from controlplane.portal.rules import OWNERS, Rules

RULES: Rules = {
    "sso": {"GET": OWNERS},
    "sso-connect": {"GET": OWNERS, "POST": OWNERS},
    "sso-try": {"POST": OWNERS},
    "sso-act": {"GET": OWNERS, "POST": OWNERS},
}
OPEN: dict[str, frozenset[str]] = {
    "sign-in-organisation": frozenset({"POST"}),
    "sign-in-organisation-callback": frozenset({"GET"}),
}
"""Routes for people who are not signed in: URL name -> methods."""

"""Who may use which pages about people and sign-in."""

from __future__ import annotations

from controlplane.portal.rules import EVERYBODY, MANAGERS, OWNERS, Rules

RULES: Rules = {
    "home": {"GET": EVERYBODY},
    "sign-out": {"POST": EVERYBODY},
    "account": {"GET": EVERYBODY},
    "account-device": {"GET": EVERYBODY, "POST": EVERYBODY},
    "account-device-remove": {"POST": EVERYBODY},
    "account-sign-out-everywhere": {"POST": EVERYBODY},
    "members": {"GET": EVERYBODY},
    "member-invite": {"GET": MANAGERS, "POST": MANAGERS},
    "members-policy": {"POST": MANAGERS},
    "member": {"GET": MANAGERS},
    "member-act": {"GET": MANAGERS, "POST": MANAGERS},
    "member-role": {"POST": MANAGERS},
    "member-forget-provider": {"GET": OWNERS, "POST": OWNERS},
}
BOTH = frozenset({"GET", "POST"})
OPEN: dict[str, frozenset[str]] = {
    "sign-in": BOTH,
    "sign-in-password": BOTH,
    "sign-in-code": BOTH,
    "sign-in-enrol": BOTH,
    "forgotten": BOTH,
    "welcome": BOTH,
}
"""Routes for people who are not signed in: URL name -> methods."""

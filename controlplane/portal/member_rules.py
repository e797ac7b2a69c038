"""Who may use which pages about people and sign-in."""

from __future__ import annotations

from controlplane.portal.rules import EVERYBODY, Rules

RULES: Rules = {
    "home": {"GET": EVERYBODY},
    "sign-out": {"POST": EVERYBODY},
}

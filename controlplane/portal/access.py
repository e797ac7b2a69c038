"""Who may use which route: one table for the whole portal. ``gate`` enforces it before any view runs.

A route that is in neither table is refused, and so is a method that its rule does not name.
"""

from __future__ import annotations

from controlplane.portal import activity_rules, key_rules, member_rules, sso_rules
from controlplane.portal.rules import Rules
from tenants.members.models import Role

RULES: Rules = {**member_rules.RULES, **key_rules.RULES, **activity_rules.RULES, **sso_rules.RULES}
OPEN = {**member_rules.OPEN, **sso_rules.OPEN}
"""Routes for people who are not signed in: URL name -> methods."""


def roles_of(name: str, method: str) -> frozenset[Role]:
    """Give the roles that may use a route by its URL name; none where there is no rule."""
    return RULES.get(name, {}).get("GET" if method == "HEAD" else method, frozenset())


def may(role: str, name: str, method: str = "GET") -> bool:
    """Say whether a role may use a route: pages ask it before they show a link or a button."""
    return role in roles_of(name, method)

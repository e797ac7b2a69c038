"""Which scope a method of a path needs, and what a caller without it is told.

Who may not see a thing at all gets 404, whether it exists or not. Who may see it and lacks the scope for this act gets 403 with the
scope's name, once the thing was found. A list without the scope is 403: that the list exists is in the public schema.

A tenant's own key holds its scopes on its own tenant's keys alone. Everything else answers it as it answers somebody without any scope, and
another tenant's path as that of a tenant which does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import exceptions as drf
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from controlplane.api.errors import InsufficientScopeError
from controlplane.api.scopes import may_see
from core.errors import NotFoundError

if TYPE_CHECKING:
    from controlplane.api.views.base import ApiView


class HoldsScope(BasePermission):
    """Holds each method to the scope that the view's table ``scopes`` names; a method that is not in it is not allowed (405)."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Give True or raise what the caller is told."""
        door: ApiView = view
        method = "GET" if request.method == "HEAD" else str(request.method)
        needed = door.scopes.get(method)
        if needed is None:
            if not door.scopes:
                raise NotFoundError("There is nothing here.")
            raise drf.MethodNotAllowed(str(request.method))
        held = _held(door, method)
        if needed in held:
            return True
        if door.kwargs:
            if not may_see(held, needed.noun):
                raise NotFoundError("There is nothing here.")
            door.find()
        raise InsufficientScopeError(f"This needs the scope {needed}.")


def _held(door: ApiView, method: str) -> frozenset[str]:
    """What the caller may do here; raises NotFoundError for a key on another tenant's path."""
    if not door.caller.is_key:
        return door.caller.scopes
    if method not in door.open_to_keys:
        return frozenset()
    if not door.caller.may_speak_of(door.kwargs["tenant"]):
        raise NotFoundError("There is nothing here.")
    return door.caller.scopes

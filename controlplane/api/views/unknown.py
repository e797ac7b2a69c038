"""Every path that is not in the table."""

from __future__ import annotations

from controlplane.api.views.base import ApiView


class Unknown(ApiView):
    """404 to a caller with a valid token, 401 to everybody else: no path can be told from another without credentials."""

    schema = None

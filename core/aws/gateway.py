"""What every gateway is made of: a caller and the client of one service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.aws.calls import Caller


class Gateway:
    """One service of one target, under one name. Stateless; safe across threads."""

    _client: Any

    def __init__(self, caller: Caller, client: Any) -> None:
        self._call = caller
        self._client = client

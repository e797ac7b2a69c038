"""Lists that AWS gives in pages, read to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def pages(fetch: Callable[..., Mapping[str, Any]], *, items: str, sent: str, received: str) -> Iterator[Any]:
    """Give every item of a paged list: ``fetch`` is called with the parameter ``sent`` set to what the last page held as ``received``."""
    token: dict[str, Any] = {}
    while True:
        page = fetch(**token)
        yield from page.get(items, ())
        following = page.get(received)
        if not following:
            return
        token = {sent: following}

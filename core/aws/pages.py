"""Lists that AWS gives in pages, read to the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from core.aws.errors import AwsError


def pages(fetch: Callable[..., Mapping[str, Any]], *, items: str, sent: str, received: str) -> Iterator[Any]:
    """Give every item of a paged list: ``fetch`` is called with the parameter ``sent`` set to what the last page held as ``received``.

    Raises AwsError when a list was cut short without a word on where it goes on (the stand-in's ListKeys does that past its page): what is
    missing from half a list would be taken for not there, and made a second time.
    """
    token: dict[str, Any] = {}
    while True:
        page = fetch(**token)
        yield from page.get(items, ())
        following = page.get(received)
        if not following and page.get("Truncated"):
            raise AwsError(f"A list of {items} was cut short without a marker.", aws_code="TruncatedList")
        if not following:
            return
        token = {sent: following}

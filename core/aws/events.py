"""EventBridge: events out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsError
from core.aws.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_events import EventBridgeClient

MAX_ENTRIES = 10
"""Entries in one PutEvents call."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event for a bus: ``source`` such as ``sbt.control.plane``, ``detail_type``, and a JSON-able ``detail``."""

    source: str
    detail_type: str
    detail: Mapping[str, Any]


class Events(Gateway):
    """The gateway to EventBridge."""

    _client: EventBridgeClient

    def put_events(self, events: Sequence[Event], *, bus: str = "default") -> tuple[str, ...]:
        """Send events, ten a call, and give their ids in order. At least once: after an error some of them may have been sent.

        Raises AwsError when the bus refuses any of them, naming the first refusal.
        """
        ids: list[str] = []
        for start in range(0, len(events), MAX_ENTRIES):
            entries: Any = [_entry(event, bus) for event in events[start : start + MAX_ENTRIES]]
            answer = self._call(self._client.put_events, Entries=entries)
            for item in answer["Entries"]:
                if item.get("ErrorCode"):
                    raise AwsError(
                        f"events PutEvents: {item['ErrorCode']}: {item.get('ErrorMessage', '')}",
                        aws_code=item["ErrorCode"],
                        service="events",
                        operation="PutEvents",
                        request_id=answer["ResponseMetadata"].get("RequestId", ""),
                        retryable=item["ErrorCode"] in ("InternalFailure", "ThrottlingException"),
                    )
                ids.append(item["EventId"])
        return tuple(ids)


def _entry(event: Event, bus: str) -> dict[str, str]:
    return {"Source": event.source, "DetailType": event.detail_type, "Detail": json.dumps(event.detail), "EventBusName": bus}

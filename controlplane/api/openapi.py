"""How the schema is made from the code: what every path has in common is added here, once.

``docs/openapi.yaml`` is written by ``manage.py api_docs`` and held to the code by a test.
"""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, OpenApiParameter

from controlplane.api.serializers.problems import ProblemShape
from controlplane.api.shapes import Shape

PROBLEM = "application/problem+json"
OF_EVERY_PATH = (401, 403, 406, 429, 500, 503)
OF_METHOD = {"GET": (422,), "POST": (400, 409, 411, 413, 415, 422), "PATCH": (400, 411, 412, 413, 415, 422, 428)}
TOLD = (200, 201, 202, 429)
HEADER: Literal["header"] = "header"


def _asked(name: str, description: str, *, required: bool = False) -> OpenApiParameter:
    return OpenApiParameter(name, str, HEADER, required=required, description=description)


def _told(name: str, description: str, *statuses: int) -> OpenApiParameter:
    return OpenApiParameter(name, str, HEADER, description=description, response=list(statuses))


IDEMPOTENCY_KEY = _asked(
    "Idempotency-Key",
    "1 to 255 visible ASCII characters, fresh for each new request. Sent again within 24 hours with the same body, the first answer comes "
    "back and nothing is done twice.",
    required=True,
)
REPLAYED = _told("Idempotent-Replayed", "`true` when this answer was given before.", 200, 201, 202)
LOCATION = _told("Location", "Where what was made or started can be read.", 201, 202)
IF_MATCH = _asked("If-Match", "The ETag that was read; `*` for any version.", required=True)
IF_NONE_MATCH = _asked("If-None-Match", "An ETag that was read; if it is still right, the answer is an empty 304.")
ETAG = _told("ETag", "The version of what is shown.", 200, 201)
LINK = _told("Link", 'The next page, as `rel="next"`.', 200)
RATE_LIMIT_POLICY = _told("RateLimit-Policy", "What the caller may ask of this door: `q` requests in `w` seconds.", *TOLD)
RATE_LIMIT = _told("RateLimit", "What is left: `r` requests, all of them back after `t` seconds.", *TOLD)
LAST_EVENT_ID = _asked("Last-Event-ID", "Id of the last event that was received.")
REQUEST_ID = _asked(
    "X-Request-Id", "The caller's own id for this request, 8 to 128 of A-Z, a-z, 0-9, dot, underscore and hyphen; comes back."
)


class ApiSchema(AutoSchema):
    """One operation of the schema: its headers, its problems and the scope that it needs."""

    def get_override_parameters(self) -> list[Any]:
        """Add the headers that belong to the method, and those of every answer."""
        return [REQUEST_ID, *self._of_method(), RATE_LIMIT_POLICY, RATE_LIMIT]

    def _of_method(self) -> list[Any]:
        if self.method == "POST":
            return [IDEMPOTENCY_KEY, REPLAYED, LOCATION] if self._door.asks_key else []
        if self.method == "PATCH":
            return [IF_MATCH, ETAG]
        if self.path.endswith("/stream"):
            return [LAST_EVENT_ID]
        return [IF_NONE_MATCH, ETAG] if self.shows_one else [LINK]

    @property
    def shows_one(self) -> bool:
        """Say whether the path names one thing, rather than a list."""
        stated: bool | None = self._door.shows_one
        return self.path.endswith("}") if stated is None else stated

    @property
    def _door(self) -> Any:
        return self.view

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        """Add the problems, which drf-spectacular knows nothing of, and the empty 304."""
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if self.method == "GET" and self.shows_one:
            bodies["304"] = {"description": "Unchanged since the version in If-None-Match."}
        of_path = (404,) if "{" in self.path else ()
        describe: Any = self._get_response_for_code
        for status in sorted({*OF_EVERY_PATH, *of_path, *OF_METHOD[self.method]}):
            bodies.setdefault(str(status), describe(ProblemShape, str(status), [PROBLEM], direction))
        return bodies

    def get_summary(self) -> str:
        """Give the first sentence of the method's docstring."""
        return str(self.get_description()).partition(".")[0].partition(":")[0]

    def _map_serializer(self, serializer: Any, direction: Direction, bypass_extensions: bool = False) -> Any:
        """Say of shapes that refuse unknown fields that they do."""
        schema = super()._map_serializer(serializer, direction, bypass_extensions)  # type: ignore[no-untyped-call]  # the library's
        if direction == "request" and isinstance(serializer, Shape):
            schema["additionalProperties"] = False
        return schema


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library's metaclass hook has no types
    """The bearer in the ``Authorization`` header, with the scope that an operation needs: an operator's, or on some paths a tenant's key."""

    target_class = "controlplane.api.authentication.BearerTokens"
    name: Any = ["operatorToken", "tenantKey"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[str]]]:
        """Name the scope, for each kind of bearer that may come: OpenAPI 3.1 lets schemes other than OAuth list roles."""
        view: Any = auto_schema.view
        scope = view.scopes[auto_schema.method].value
        kinds = self.name if auto_schema.method in view.open_to_keys else self.name[:1]
        return [{kind: [scope]} for kind in kinds]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, str]]:
        """Describe both."""
        of_all = {"type": "http", "scheme": "bearer"}
        return [
            {
                **of_all,
                "bearerFormat": "cpo_<environment>_<public id>_<secret><checksum>",
                "description": "An operator token, issued with `manage.py tokens issue`. Each operation names the scope that it needs.",
            },
            {
                **of_all,
                "bearerFormat": "<brand>_<live or test>_<public id>_<secret><checksum>",
                "description": (
                    "A tenant's own key with `keys:read` or `keys:write`. It reaches its own tenant's keys alone, and can neither make nor "
                    "touch a key that can do more, from more addresses, or for longer than itself."
                ),
            },
        ]

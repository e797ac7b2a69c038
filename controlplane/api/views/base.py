"""What every view of the API has in common."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.db.models.expressions import Combinable
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from controlplane import doors
from controlplane.api import problems
from controlplane.api.answers import Answer, answer
from controlplane.api.authentication import BearerTokens, Caller
from controlplane.api.errors import BodyTooLargeError, LengthRequiredError
from controlplane.api.idempotency import Claim, answer_once, answer_once_outside
from controlplane.api.limiting import refusal
from controlplane.api.openapi import ApiSchema
from controlplane.api.pagination import paginate
from controlplane.api.parsers import MAX_BODY_BYTES, StrictJson
from controlplane.api.permissions import HoldsScope
from controlplane.api.scopes import Scope
from controlplane.api.serializers.operations import OperationShape
from controlplane.api.serializers.pages import NoQuery
from controlplane.api.shapes import field_errors
from core.errors import InvalidInputError
from provisioning import selectors
from provisioning.models import Operation
from tenants.limits.decision import Decision


class JsonForm(BaseRenderer):
    """Says that a path answers in JSON; the answers themselves are made by ``answers``."""

    media_type = "application/json"
    format = "json"


class Negotiation(DefaultContentNegotiation):
    """By the ``Accept`` header alone; ``?format=`` is a query parameter like any other unknown one."""

    settings: Any = SimpleNamespace(URL_FORMAT_OVERRIDE=None)


class ApiView(APIView):
    """A path of the API. ``scopes`` says which scope each method needs, and so which methods there are.

    ``open_to_keys`` names the methods that a tenant's own key may use; such a path has the tenant in it. ``shows_one`` says whether a
    GET gives one thing, with an ETag, or a list; ``asks_key`` whether a POST needs an ``Idempotency-Key``.
    """

    scopes: ClassVar[Mapping[str, Scope]] = {}
    open_to_keys: ClassVar[Collection[str]] = ()
    shows_one: ClassVar[bool | None] = None
    asks_key: ClassVar[bool] = True
    authentication_classes = [BearerTokens]
    permission_classes = [HoldsScope]
    parser_classes = [StrictJson]
    renderer_classes: Any = [JsonForm]
    content_negotiation_class = Negotiation
    metadata_class = None
    throttle_classes = []
    schema: Any = ApiSchema()
    limiting: Decision | None = None
    """How the caller's limit stood when the request was charged to it; None for a caller without credentials."""

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return cast("Caller", self.request.user)

    @property
    def allowed_methods(self) -> list[str]:
        """The methods in the table, and HEAD beside GET."""
        return [*self.scopes, "HEAD"] if "GET" in self.scopes else list(self.scopes)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """None: DRF would tell strangers with ``Allow`` which paths exist. ``exception_handler`` sets it on a 405."""
        return {}

    def find(self) -> Any:
        """Give the thing that the path names, or raise NotFoundError. Paths that name none have nothing to find."""
        return None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer; whatever fails on the way out, where DRF no longer looks, is a problem as well."""
        response: HttpResponseBase
        try:
            response = super().dispatch(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  # the last line: an unknown error is an opaque 500
            response = problems.respond(error, request)
        if self.limiting is not None:
            doors.mark(response, self.limiting)
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check credentials before anything that could tell one path from another, then the caller's limit, size, form and scope."""
        self.perform_authentication(request)
        self.limiting = doors.ask(doors.API, self.caller.account)
        if not self.limiting.is_admitted:
            raise refusal(self.limiting)
        _check_length(request)
        super().initial(request, *args, **kwargs)

    def get_exception_handler(self) -> Callable[..., HttpResponse]:
        """Problems instead of DRF's own form."""
        return problems.exception_handler

    def read_body(self, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """Give the fields of the body; raises InvalidInputError that names each that is wrong. POST and PATCH take no query."""
        self.read_query(NoQuery)
        return _validated(shape(data=self.request.data), query=False)

    def read_query(self, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """Give the parameters of the query; raises InvalidInputError on an unknown, repeated or wrong one."""
        given = self.request.query_params
        repeated = {name: ["Give this once."] for name in given if len(given.getlist(name)) > 1}
        unknown = {name: ["There is no such parameter."] for name in given if name not in shape().fields}
        if unknown or repeated:
            raise InvalidInputError("Some parameters are not valid.", errors=field_errors({**repeated, **unknown}, query=True))
        return _validated(shape(data=given.dict()), query=True)

    def page(
        self,
        query: Mapping[str, Any],
        rows: QuerySet[Any],
        *,
        of: str,
        shape: type[serializers.Serializer[Any]],
        orderings: Mapping[str, Combinable],
        about: Callable[[Sequence[Any]], Mapping[str, Any]] = lambda _: {},
    ) -> HttpResponse:
        """Answer with one page; ``of`` names the list that its cursors belong to, ``about`` reads what the shape needs beside the rows."""
        filters = {name: value for name, value in query.items() if name not in ("limit", "cursor", "ordering")}
        page = paginate(
            rows,
            of=of,
            orderings=orderings,
            ordering=query["ordering"],
            limit=query["limit"],
            cursor=query["cursor"],
            filters=filters,
        )
        data = {"items": shape(page.rows, many=True, context=dict(about(page.rows))).data, "next": page.next}
        headers = {}
        if page.next:
            given = self.request.query_params.copy()
            given["cursor"] = page.next
            headers["Link"] = f'<{self.request.path}?{given.urlencode()}>; rel="next"'
        return answer(data, headers=headers).as_response()

    def once(self, act: Callable[[Claim], Answer]) -> HttpResponse:
        """Run an act under the request's idempotency key."""
        request: Any = self.request
        return answer_once(request, caller=self.caller.pk, body=self.request.data, act=act)

    def once_outside(self, act: Callable[[Claim], Answer]) -> HttpResponse:
        """Run an act that calls AWS under the request's idempotency key, outside any transaction."""
        request: Any = self.request
        return answer_once_outside(request, caller=self.caller.pk, body=self.request.data, act=act)


def accepted(operation: Operation) -> Answer:
    """Answer 202 with the operation as it stands, and where to follow it."""
    fresh = selectors.get_operation(operation.pk)
    where = reverse("api:operation", kwargs={"operation": operation.pk})
    return answer(OperationShape(fresh).data, status=202, headers={"Location": where})


def _validated(shape: serializers.Serializer[Any], *, query: bool) -> dict[str, Any]:
    if not shape.is_valid():
        what = "parameters" if query else "fields"
        raise InvalidInputError(f"Some {what} are not valid.", errors=field_errors(shape.errors, query=query))
    values: dict[str, Any] = shape.validated_data
    return values


def _check_length(request: Request) -> None:
    """Refuse a body by what is announced of it. WSGI hides one that comes in chunks, and it would be taken for an empty one."""
    text = request.headers.get("Content-Length", "")
    if not text and "Transfer-Encoding" in request.headers:
        raise LengthRequiredError("Send the body with a Content-Length instead of in chunks.")
    if text.isascii() and text.isdigit() and (len(text) > 18 or int(text) > MAX_BODY_BYTES):
        raise BodyTooLargeError(f"A body may have at most {MAX_BODY_BYTES} bytes.")

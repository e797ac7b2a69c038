"""``GET /v1/nginx`` for nginx's ``auth_request``: 204 with the identity's headers, or the refusal's own status.

Source: https://nginx.org/en/docs/http/ngx_http_auth_request_module.html: a subrequest's 2xx admits, 401 and 403 are passed on, anything else is
an error of the server's, logged as such. With ``?refused=403`` every refusal but 401 therefore comes as 403 and says in ``X-Edge-Status`` what it
is; ``templates/edge/nginx.conf`` turns that into the answer that the caller gets.
"""

from __future__ import annotations

from controlplane.edge.asking import Verdict
from controlplane.edge.doors.proxied import ProxiedDoor
from controlplane.edge.problems import BUSY, FORBIDDEN, ProblemError
from controlplane.edge.requests import Request

AS_FORBIDDEN = b"refused=403"


class NginxDoor(ProxiedDoor):
    """See the module."""

    name = "nginx"
    methods = (b"GET", b"HEAD")
    admitted = b"HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\n"

    def misled(self, request: Request, detail: str) -> ProblemError:
        """As every proxy's, in the way that nginx passes on."""
        if request.query != AS_FORBIDDEN:
            return super().misled(request, detail)
        return ProblemError(FORBIDDEN, detail, lines=b"X-Edge-Status: %d\r\n" % BUSY.status)

    def problem(self, request: Request, verdict: Verdict) -> bytes:
        """The refusal, as the query wants it."""
        answer = super().problem(request, verdict)
        status = answer[9:12]
        if request.query != AS_FORBIDDEN or status == b"401":
            return answer
        _, _, rest = answer.partition(b"\r\n")
        return b"HTTP/1.1 403 Forbidden\r\nX-Edge-Status: %b\r\n%b" % (status, rest)

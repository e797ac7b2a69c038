"""A person's browser, as far as the demo needs one: cookies, redirects, and forms that are sent with everything that is hidden in them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from urllib.parse import urlsplit

import httpx

SECONDS = 60.0


@dataclass
class Form:
    """A form of a page: where it goes, what is hidden in it, and the names of all its fields."""

    action: str
    hidden: dict[str, str] = field(default_factory=dict, repr=False)
    names: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Page:
    """What was answered in the end: status, path, and the page. The query is left out: a link's text may be in it."""

    status: int
    path: str
    text: str = field(repr=False)

    @property
    def heading(self) -> str:
        """The page's first heading."""
        found = re.search(r"<h1>(.*?)</h1>", self.text, re.DOTALL)
        return found[1].strip() if found else ""

    def form_with(self, *names: str) -> Form:
        """Give the first form that is sent and has these fields; raises LookupError, with the page that has none."""
        reader = _FormReader()
        reader.feed(self.text)
        for form in reader.forms:
            if form.names.issuperset(names):
                return form
        raise LookupError(f"{self.path} ({self.status}, “{self.heading}”) has no form with {', '.join(names)}")


class Visitor:
    """Somebody at a web server; use it in a ``with`` block. Errors are answers here: what they mean is the story's to say."""

    def __init__(self, address: str) -> None:
        self._host = urlsplit(address).netloc
        hooks = {"request": [self._stay]}
        self._http = httpx.Client(base_url=address, follow_redirects=True, timeout=SECONDS, trust_env=False, event_hooks=hooks)
        self.page = Page(0, "", "")

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.close()

    def open(self, address: str) -> Page:
        """Open a path, or a whole address of this server, such as a mailed link."""
        return self._keep(self._http.get(address))

    def send(self, **fields: str | list[str]) -> Page:
        """Fill in the form of the page that has these fields, and send it."""
        form = self.page.form_with(*fields)
        return self._keep(self._http.post(form.action or self.page.path, data={**form.hidden, **fields}))

    def force(self, path: str, **fields: str) -> Page:
        """Send what no page offers, with the token that any page has: what somebody would do who means ill."""
        token = self.page.form_with("csrfmiddlewaretoken").hidden["csrfmiddlewaretoken"]
        return self._keep(self._http.post(path, data={"csrfmiddlewaretoken": token, **fields}), stays=True)

    def _stay(self, request: httpx.Request) -> None:
        """Raise LookupError where a link or a redirect leads to another server, before anything is sent there."""
        if request.url.netloc.decode() != self._host:
            raise LookupError(f"the page led to {request.url.host}")

    def _keep(self, answer: httpx.Response, *, stays: bool = False) -> Page:
        page = Page(answer.status_code, answer.url.path, answer.text)
        if not stays:
            self.page = page
        return page


class _FormReader(HTMLParser):
    """Reads the forms that are sent by POST."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a form, or note a field of it."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and given.get("method", "").lower() == "post":
            self._form = Form(given.get("action", ""))
            self.forms.append(self._form)
        elif tag in ("input", "select", "textarea") and self._form is not None and given.get("name"):
            self._form.names.add(given["name"])
            if given.get("type") == "hidden":
                self._form.hidden[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """End a form."""
        if tag == "form":
            self._form = None

"""The page between wanting and doing: it says what will happen, asks why, and only then calls the service.

Every act of the console goes through :func:`confirm`. It refuses viewers, asks for a fresh code where the act destroys something, and shows the
page again, saying so, when the plan has changed since it was looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from controlplane.console import trail
from controlplane.console.access import is_fresh
from controlplane.console.act_forms import ConfirmForm
from controlplane.console.acts import Act
from controlplane.console.devices import Verdict
from controlplane.console.preview import Preview
from controlplane.console.session import address_of, refresh
from controlplane.console.signin import THROTTLED_CODE, WRONG_CODE
from core.errors import DomainError

PLAN_CHANGED = "What would happen has changed since you looked. Read it again, then confirm."
FRAGMENT = "fragment"


@dataclass(frozen=True, slots=True)
class Question:
    """All that a confirmation page needs. ``previews`` is called with the form's raw data, so that a choice can change the plan.

    ``perform`` calls the service with the clean data and gives the answer: an address to go to, or a whole response. ``extra`` goes to the template.
    """

    act: Act
    title: str
    button: str
    back_url: str
    sentences: tuple[str, ...]
    make_form: Callable[..., ConfirmForm]
    previews: Callable[[Mapping[str, Any]], tuple[Preview, ...]]
    perform: Callable[[dict[str, Any]], str | HttpResponse]
    done: str = ""
    template: str = "console/confirm.html"
    extra: Mapping[str, Any] = field(default_factory=dict)


def confirm(request: HttpRequest, question: Question, context: Mapping[str, Any]) -> HttpResponse:
    """Show the page, or carry the act out. Answers 422 when something typed is wrong and 409 when the world has moved on."""
    chosen: Mapping[str, Any] = request.POST if request.method == "POST" else request.GET
    previews = question.previews(chosen)
    if request.method != "POST" and FRAGMENT in request.GET:
        return TemplateResponse(request, "console/_previews.html", {"previews": previews, "plan": fingerprint_of(previews)})
    asks_code = question.act.needs_fresh_code and not is_fresh(request)
    initial = {name: value for name, value in request.GET.items() if value}
    form = question.make_form(
        request.POST if request.method == "POST" else None, act=question.act, asks_code=asks_code, initial=initial
    )
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid() and _code_is_right(request, form, asks_code):
            if request.POST.get("plan") != fingerprint_of(previews):
                status = 409
                form.add_error(None, PLAN_CHANGED)
            else:
                try:
                    return _answer(request, question, form.cleaned_data)
                except DomainError as error:
                    status = 409 if error.status == 409 else 422
                    form.take(error)
    return TemplateResponse(
        request,
        question.template,
        {
            **context,
            **question.extra,
            "title": question.title,
            "question": question,
            "form": form,
            "previews": previews,
            "plan": fingerprint_of(previews),
        },
        status=status,
    )


def _code_is_right(request: HttpRequest, form: ConfirmForm, asks_code: bool) -> bool:
    if not asks_code:
        return True
    verdict = refresh(request, form.cleaned_data.get("code", ""))
    if verdict is Verdict.RIGHT:
        return True
    if verdict is not Verdict.THROTTLED:
        trail.refused(request.user.get_username(), "wrong code", address_of(request))
    form.add_error("code", THROTTLED_CODE if verdict is Verdict.THROTTLED else WRONG_CODE)
    return False


def _answer(request: HttpRequest, question: Question, clean: dict[str, Any]) -> HttpResponse:
    answer = question.perform(clean)
    if isinstance(answer, HttpResponse):
        return answer
    if question.done:
        messages.success(request, question.done)
    return HttpResponseRedirect(answer)


def fingerprint_of(previews: tuple[Preview, ...]) -> str:
    """Give one fingerprint for all parts of what was shown."""
    return ".".join(preview.fingerprint for preview in previews)

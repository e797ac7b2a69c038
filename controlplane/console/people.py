"""Operators by their names: the log and the operations keep user names, pages show people. One query, however many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.contrib.auth.models import User

from controlplane.console import words

OPERATOR = "operator:"


def names_of(actors: Iterable[str]) -> Mapping[str, str]:
    """Give recorded actors in words, by the text that was recorded; an operator without an account keeps the recorded id."""
    wanted = set(actors)
    accounts = {actor.removeprefix(OPERATOR) for actor in wanted if actor.startswith(OPERATOR)}
    known = {user.get_username(): user.get_full_name() for user in User.objects.filter(username__in=accounts)} if accounts else {}
    return {actor: known.get(actor.removeprefix(OPERATOR)) or words.who(actor) for actor in wanted}

"""Who did it, by name: members of the tenant by theirs, operators and the product's own parts in words. One query, however many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from core.actors import Actor, ActorKind
from tenants.members.models import Member

PARTS = {
    ActorKind.OPERATOR: "Operator",
    ActorKind.HOOK: "Report from outside",
    ActorKind.SYSTEM: "Automatic",
    ActorKind.KEY: "Key",
}


def names_of(tenant_id: str, actors: Iterable[str]) -> Mapping[str, str]:
    """Give recorded actors (``kind:id``) in words, by the text that was recorded. A member of another tenant has no name here."""
    wanted = {text: _parse(text) for text in set(actors)}
    members = {actor.id for actor in wanted.values() if actor is not None and actor.kind is ActorKind.MEMBER}
    rows = Member.objects.filter(tenant_id=tenant_id, pk__in=members).values_list("pk", "name", "email") if members else ()
    known = {pk: name or email for pk, name, email in rows}
    return {text: words_of(actor, known) if actor else text for text, actor in wanted.items()}


def words_of(actor: Actor, members: Mapping[str, str]) -> str:
    """Give one actor in words: the label that was recorded with the act, else today's name, else the id."""
    if actor.kind is ActorKind.MEMBER:
        return actor.label or members.get(actor.id) or "A member who has left"
    if actor.kind is ActorKind.SYSTEM:
        return PARTS[actor.kind]
    return f"{PARTS[actor.kind]} {actor.label or actor.id}"


def _parse(text: str) -> Actor | None:
    try:
        return Actor.parse(text)
    except ValueError:
        return None

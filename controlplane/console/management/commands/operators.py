"""``manage.py operators``: accounts of the console, and the way back for somebody who has lost their authenticator."""

from __future__ import annotations

import getpass
import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from controlplane.console import accounts
from controlplane.console.access import Role
from core.actors import Actor, operator
from core.errors import DomainError


class Command(BaseCommand):
    help = "List and change the accounts of the console. Every change names the operator who makes it, and why."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="every account with its role and whether it has an authenticator")
        first = verbs.add_parser("first", help="make the first operator, while there is none; everybody else comes by `add`")
        add = verbs.add_parser("add", help="make an account; its owner enrols an authenticator at the first sign-in")
        for verb in (first, add):
            verb.add_argument("username")
            verb.add_argument("--name", default="", help="first and last name")
            verb.add_argument("--email", default="")
        add.add_argument("--role", choices=[role.value for role in Role], default=Role.VIEWER.value)
        role = verbs.add_parser("role", help="give an account a role")
        role.add_argument("username")
        role.add_argument("role", choices=[role.value for role in Role])
        for name, text in (
            ("reset-device", "take a lost authenticator off an account; the next sign-in enrols a new one"),
            ("disable", "close an account and end its sessions"),
        ):
            verbs.add_parser(name, help=text).add_argument("username")
        for verb in (add, role, verbs.choices["reset-device"], verbs.choices["disable"]):
            verb.add_argument("--by", required=True, help="your own account: an active operator")
        for verb in (first, add, role, verbs.choices["reset-device"], verbs.choices["disable"]):
            verb.add_argument("--reason", required=True)

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        try:
            if verb == "list":
                self._list()
            elif verb == "first":
                self._first(options)
            else:
                self._change(verb, options)
        except DomainError as error:
            raise CommandError(error.detail) from None

    def _list(self) -> None:
        for account in accounts.list_accounts():
            device = "authenticator" if account.has_device else "no authenticator"
            state = "" if account.is_active else "  disabled"
            self.stdout.write(f"{account.username:<24} {account.role:<10} {device:<17} {account.name}{state}")

    def _first(self, options: dict[str, Any]) -> None:
        """The one account that nobody vouches for: who may run commands here could write to the database as well."""
        reason = options["reason"].strip()
        if not reason:
            raise CommandError("Give a reason.")
        actor, username, password = operator(getpass.getuser(), "command line"), options["username"], secrets.token_urlsafe(15)
        accounts.add_first(
            actor=actor, username=username, name=options["name"], email=options["email"], password=password, reason=reason
        )
        self._show_password(username, password)

    def _show_password(self, username: str, password: str) -> None:
        self.stdout.write(f"{username} can sign in with this password, shown once: {password}")

    def _change(self, verb: str, options: dict[str, Any]) -> None:
        actor, username, reason = self._actor(options["by"]), options["username"], options["reason"].strip()
        if not reason:
            raise CommandError("Give a reason.")
        if verb == "add":
            self._add(actor, username, reason, options)
        elif verb == "role":
            accounts.give_role(actor=actor, username=username, role=Role(options["role"]), reason=reason)
            self.stdout.write(f"{username} is now {options['role']}.")
        elif verb == "reset-device":
            accounts.reset_device(actor=actor, username=username, reason=reason)
            self.stdout.write(f"{username} enrols a new authenticator at the next sign-in.")
        else:
            accounts.disable(actor=actor, username=username, reason=reason)
            self.stdout.write(f"{username} is disabled.")

    def _add(self, actor: Actor, username: str, reason: str, options: dict[str, Any]) -> None:
        password = secrets.token_urlsafe(15)
        accounts.add_account(
            actor=actor,
            username=username,
            name=options["name"],
            email=options["email"],
            role=Role(options["role"]),
            password=password,
            reason=reason,
        )
        self._show_password(username, password)

    def _actor(self, username: str) -> Actor:
        helper = accounts.find_helper(username)
        if not helper.check_password(getpass.getpass(f"Password of {username}: ")):
            raise CommandError("That is not the password.")
        return operator(helper.get_username(), helper.get_full_name())

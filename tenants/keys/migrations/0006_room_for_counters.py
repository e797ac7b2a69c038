"""On PostgreSQL half of each page of the hours of versions is kept free.

A counter that is added to is written anew, beside the old one, and where its page has no room, in another, with an entry in each index for it.
Busy keys are all added to in each roll-up, so only half a page is room enough; that makes an addition cost less than half, and the table up to
twice as large. Pages that are there already stay as they are; nothing is rewritten, and nobody who reads or writes waits.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

FREE = "ALTER TABLE keys_keyuse SET (fillfactor = 50)"
FULL = "ALTER TABLE keys_keyuse RESET (fillfactor)"


def free(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FREE)


def fill(_apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FULL)


class Migration(migrations.Migration):
    dependencies = [
        ("keys", "0005_cost_by_day"),
    ]

    operations = [migrations.RunPython(free, fill)]

"""Records of first answers belong to whoever asked, be it an operator token or a tenant's key."""

from django.db import migrations, models
from django.db.models import F


def name_the_callers(apps, schema_editor):
    """Carry over what is kept: a token's id is its caller's name."""
    apps.get_model("api", "IdempotencyRecord").objects.update(caller=F("token_id"))


def forget_all(apps, schema_editor):
    """On the way back: a key's records have no token, and no answer is kept for more than a day anyway."""
    apps.get_model("api", "IdempotencyRecord").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("api", "0001_initial")]

    operations = [
        migrations.AddField("idempotencyrecord", "caller", models.CharField(max_length=40, default=""), preserve_default=False),
        migrations.RunPython(name_the_callers, migrations.RunPython.noop),
        migrations.RemoveConstraint("idempotencyrecord", "idempotency_key_once_a_token"),
        migrations.RemoveField("idempotencyrecord", "token"),
        migrations.AddConstraint(
            "idempotencyrecord", models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_once_a_caller")
        ),
        migrations.RunPython(migrations.RunPython.noop, forget_all),
    ]

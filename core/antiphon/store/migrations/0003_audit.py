from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from antiphon.types import Via
from json import dumps, loads
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("antiphon", "0002_accounts")]

    initial = False

    operations = [
        ops.CreateModel(
            name="AuditLog",
            fields=[
                (
                    "id",
                    fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True),
                ),
                ("created_at", fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ("updated_at", fields.DatetimeField(auto_now=True, auto_now_add=False)),
                (
                    "user",
                    fields.ForeignKeyField(
                        "antiphon.User",
                        source_field="user_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                ("user_email", fields.CharField(default="", max_length=254)),
                ("action", fields.CharField(max_length=100)),
                ("resource_type", fields.CharField(max_length=50)),
                ("resource_id", fields.CharField(null=True, max_length=64)),
                ("resource_name", fields.CharField(default="", max_length=300)),
                (
                    "client",
                    fields.ForeignKeyField(
                        "antiphon.Client",
                        source_field="client_id",
                        null=True,
                        db_constraint=False,
                        to_field="id",
                        related_name=False,
                        on_delete=OnDelete.NO_ACTION,
                    ),
                ),
                (
                    "via",
                    fields.CharEnumField(
                        description="REST: rest\nWEBSOCKET: websocket\nMQTT: mqtt\nSCHEDULE: schedule\nPLUGIN: plugin\nCLI: cli\nSYSTEM: system",
                        enum_type=Via,
                        max_length=20,
                    ),
                ),
                (
                    "details",
                    fields.JSONField(
                        default=dict,
                        encoder=functools.partial(dumps, separators=(",", ":")),
                        decoder=loads,
                    ),
                ),
                ("ip_address", fields.CharField(default="", max_length=64)),
                ("user_agent", fields.CharField(default="", max_length=300)),
            ],
            options={
                "table": "audit_log",
                "app": "antiphon",
                "indexes": [
                    Index(fields=["client_id", "created_at"]),
                    Index(fields=["created_at"]),
                    Index(fields=["resource_type", "resource_id"]),
                    Index(fields=["user_id", "created_at"]),
                ],
                "pk_attr": "id",
                "table_description": "One change. Rows are only ever added, and outlive what they tell of.",
            },
            bases=["TimestampedModel"],
        ),
    ]

from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from antiphon_ai.models import ProviderType
from json import dumps, loads
from uuid import uuid4
from tortoise import fields

class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name='AIProvider',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('name', fields.CharField(max_length=200)),
                ('provider_type', fields.CharEnumField(description='OPENAI: openai\nOPENAI_COMPATIBLE: openai_compatible\nANTHROPIC: anthropic\nELEVENLABS: elevenlabs\nGOOGLE: google', enum_type=ProviderType, max_length=30)),
                ('api_key', fields.TextField(null=True, unique=False)),
                ('key_hint', fields.CharField(default='', max_length=10)),
                ('base_url', fields.CharField(default='', max_length=500)),
                ('is_active', fields.BooleanField(default=True)),
                ('features', fields.JSONField(default=list, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
                ('daily_request_limit', fields.IntField(null=True)),
                ('monthly_budget_usd', fields.DecimalField(null=True, max_digits=12, decimal_places=4)),
                ('requests_count', fields.BigIntField(default=0)),
                ('tokens_used', fields.BigIntField(default=0)),
                ('cost_usd', fields.DecimalField(default=0, max_digits=14, decimal_places=6)),
                ('requests_today', fields.IntField(default=0)),
                ('counted_on', fields.DateField(null=True)),
                ('cost_this_month_usd', fields.DecimalField(default=0, max_digits=14, decimal_places=6)),
                ('month', fields.DateField(null=True)),
                ('last_used_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'ai_provider', 'app': 'ai', 'pk_attr': 'id', 'table_description': 'A service outside, its key, what it may be used for, and how much of it was used.'},
            bases=['TimestampedModel'],
        ),
    ]

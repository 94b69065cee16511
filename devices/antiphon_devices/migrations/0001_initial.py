from tortoise import migrations
from tortoise.migrations import operations as ops
from antiphon_devices.accounts.models import AccountKind
from tortoise.fields.base import OnDelete
from uuid import uuid4
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('antiphon', '0006_unheard')]

    initial = True

    operations = [
        ops.CreateModel(
            name='MqttAccount',
            fields=[
                ('id', fields.UUIDField(primary_key=True, default=uuid4, unique=True, db_index=True)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=True)),
                ('updated_at', fields.DatetimeField(auto_now=True, auto_now_add=False)),
                ('client', fields.ForeignKeyField('antiphon.Client', source_field='client_id', null=True, db_constraint=True, to_field='id', related_name=False, on_delete=OnDelete.CASCADE)),
                ('kind', fields.CharEnumField(description='DEVICE: device\nINTEGRATOR: integrator', enum_type=AccountKind, max_length=20)),
                ('username', fields.CharField(unique=True, max_length=128)),
                ('name', fields.CharField(default='', max_length=200)),
                ('password_hash', fields.CharField(max_length=200)),
            ],
            options={'table': 'mqtt_account', 'app': 'mqtt', 'pk_attr': 'id', 'table_description': "Who may log in at the broker. A loudspeaker's name is its id in topics, and it has no client."},
            bases=['TimestampedModel'],
        ),
    ]

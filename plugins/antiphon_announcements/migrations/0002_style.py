from tortoise import migrations
from tortoise.migrations import operations as ops
from antiphon.types import CallStyle
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('announcements', '0001_initial'), ('antiphon', '0003_audit')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Announcement',
            name='chime_after',
            field=fields.BooleanField(null=True),
        ),
        ops.AddField(
            model_name='Announcement',
            name='style',
            field=fields.CharEnumField(null=True, description='OVER: over\nPAUSE: pause\nBETWEEN: between', enum_type=CallStyle, max_length=20),
        ),
    ]

"""The database: base models, transactions, and how it is opened and brought up to date."""

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from antiphon.store.base import SoftDeleteModel, TimestampedModel
from antiphon.store.changes import ELSEWHERE_S, Memo, total
from antiphon.store.database import Database, Tables, open_database

__all__ = [
    "ELSEWHERE_S",
    "Database",
    "IntegrityError",
    "Memo",
    "SoftDeleteModel",
    "Tables",
    "TimestampedModel",
    "in_transaction",
    "open_database",
    "total",
]

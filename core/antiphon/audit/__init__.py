"""The audit trail: who changed what, when, and from where."""

from antiphon.audit.commands import CommandGiven, commanded
from antiphon.audit.trail import AuditTrail, Entry

__all__ = ["AuditTrail", "CommandGiven", "Entry", "commanded"]

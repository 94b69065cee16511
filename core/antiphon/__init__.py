"""Antiphon: music and announcements in every zone of a building."""

__version__ = "0.1.0"

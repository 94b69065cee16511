"""Schedules: what makes calls by the clock."""

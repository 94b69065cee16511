"""Announcements: stored clips, spoken texts and chimes."""

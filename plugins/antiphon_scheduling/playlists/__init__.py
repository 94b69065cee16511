"""Channel playlists: music that goes on for ever, with its announcements, as one programme."""

"""The building: floors, zones and loudspeakers."""

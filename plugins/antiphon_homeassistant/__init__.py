"""Zones, loudspeakers and the server as entities of Home Assistant, by MQTT discovery."""

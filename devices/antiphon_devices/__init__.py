"""What speaks to loudspeakers and integrators over MQTT; docs/reference/mqtt.md is its contract."""

"""`antiphon-speaker`: the agent beside a loudspeaker. It imports nothing of the server."""

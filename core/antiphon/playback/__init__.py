"""What zones play: the controller that all commands go through, and what it is made of."""

from antiphon.playback.controller import ZoneController

__all__ = ["ZoneController"]

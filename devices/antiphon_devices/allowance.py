"""How much somebody may ask for: a store that fills again with time."""

from __future__ import annotations

from collections.abc import Callable

_KEPT = 20_000


class Allowance:
    """Each key may take `burst` at once, and then `rate` a second. `clock` counts seconds."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> bool:
        """Take one, if there is one left."""
        now = self._clock()
        left, at = self._left.get(key, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._rate)
        if len(self._left) > _KEPT:  # whoever has rested long enough is as good as new
            full_s = self._burst / self._rate
            self._left = {k: v for k, v in self._left.items() if now - v[1] < full_s}
        self._left[key] = (left - 1 if left >= 1 else left, now)
        return left >= 1

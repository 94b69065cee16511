"""How deep a zone's queue is before whoever reads it, kept the same in all zones.

What waits in the pipe is what keeps a late reader or a late writer from being heard, and it is a
part of the delay of all that is played. Zones whose queues differ hear one call at two times: after
every disturbance the queues are measured and brought back to one depth, to a few milliseconds.
"""

from __future__ import annotations

import numpy as np

from antiphon.engine.codec import Samples
from antiphon.engine.protocol import SAMPLE_RATE
from antiphon.engine.sink import Sink

DEPTH_S = 0.14
_COARSE_LOOKS = 25
_COARSE_S = 0.012
_FINE_LOOKS = 100
_FINE_S = 0.003
_EMPTY_S = 0.01
_JUMP_S = 0.035  # more than writer and reader, who take turns, move it
_STRAYS = 3
_FADE_FRAMES = 240  # 5 ms
_KEPT_FRAMES = 16  # of a block, beside the fade: it never vanishes altogether


class Cushion:
    """The mean of what waits in a sink. `look` often, at moments without any order.

    Writer and reader move by blocks, so that a single look tells the depth to 10 ms, the mean of
    n looks to 5.8 ms / √n. What is to be corrected is `due`, in frames: the next blocks are to
    pass through `splice`. That happens after a reader came, or was late, which is heard anyway.
    """

    def __init__(self, depth_s: float = DEPTH_S) -> None:
        self.mean_s = 0.0
        self.due = 0
        self._depth_s = depth_s
        self._looks = 0
        self._strays = 0

    def look(self, sink: Sink) -> None:
        """Measure, and find out what is to be corrected, once that is certain."""
        waiting_s = sink.waiting_s()
        if waiting_s is None or self.due:
            return
        if sink.lost_bytes or waiting_s < _EMPTY_S or self._has_moved(waiting_s):
            # Nobody reads, or somebody takes all at once, or something happened: measure anew.
            self._looks = 0
        self._looks += 1
        self.mean_s += (waiting_s - self.mean_s) / min(self._looks, _FINE_LOOKS)
        off_s = self._depth_s - self.mean_s
        is_coarse = self._looks >= _COARSE_LOOKS and abs(off_s) > _COARSE_S
        is_fine = self._looks >= _FINE_LOOKS and abs(off_s) > _FINE_S
        if is_coarse or is_fine:
            self.due = round(off_s * SAMPLE_RATE)
            self.mean_s = self._depth_s
            self._looks = 0

    def splice(self, block: Samples) -> Samples:
        """Make a block longer or shorter by what is due, or by as much of that as it bears.

        A part is heard twice, or left out, with a crossfade, so that it makes no click.
        """
        most = len(block) - _FADE_FRAMES - _KEPT_FRAMES
        frames = max(-most, min(most, self.due))
        self.due -= frames
        leaves = max(0, frames)  # where the fade begins
        enters = leaves - frames  # where it leads to
        rising = np.linspace(0.0, 1.0, _FADE_FRAMES, dtype=np.float32)[:, None]
        joint = block[leaves : leaves + _FADE_FRAMES] * (1 - rising)
        joint += block[enters : enters + _FADE_FRAMES] * rising
        after = block[enters + _FADE_FRAMES :]
        return np.concatenate((block[:leaves], np.rint(joint).astype(np.int16), after))

    def _has_moved(self, waiting_s: float) -> bool:
        """Whether several looks in a row lie where turns can not explain them."""
        is_far = self._looks > 0 and abs(waiting_s - self.mean_s) > _JUMP_S
        self._strays = self._strays + 1 if is_far else 0
        if self._strays < _STRAYS:
            return False
        self._strays = 0
        return True

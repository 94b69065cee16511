"""Heavy work in worker processes, so that neither sound nor API waits for it.

The workers import this package too and must stay small: `JobRunner` and its views are therefore
loaded when they are asked for, not when the package is.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from antiphon.jobs.runner import JobRunner, JobState, JobView

__all__ = ["JobRunner", "JobState", "JobView"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(name)
    from antiphon.jobs import runner

    return getattr(runner, name)

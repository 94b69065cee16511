"""What commands do with a building when no server is asked: read its library, rehearse a zone."""

from antiphon.offline.library import Library, open_library
from antiphon.offline.rehearsal import Heard, Rehearsal
from antiphon.offline.tape import FileSink

__all__ = ["FileSink", "Heard", "Library", "Rehearsal", "open_library"]

"""Media sources: what turns a reference in a queue or a call into a file that can be played."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from antiphon.errors import NotFound, Refused
from antiphon.types import Band, CallStyle, Frozen


class MediaRef(Frozen):
    """Names a thing to play without saying where it lies, such as `music` and its id.

    `kind` decides which source resolves it; `value` is that source's own key: an id, or the text
    to speak. `voice` matters to spoken text alone.
    """

    kind: str
    value: str
    voice: str | None = None


REST = MediaRef(kind="rest", value="")
"""In what an endless source gives: here the music rests until `Zones.go_on`."""


class Media(Frozen):
    """A local file that is ready to play, with what was measured of it.

    `loudness_lufs` and `true_peak_db` are None while the file has not been measured yet; it is
    then played without a change of level. `band`, the chimes and `style` are an announcement's own
    wishes: a call's come before them. `art` is
    the path of a picture in the API, behind `/api/v1/`, that can be fetched without a log-in.
    """

    ref: MediaRef
    path: Path
    title: str
    duration_s: float
    artist: str | None = None
    album: str | None = None
    loudness_lufs: float | None = None
    true_peak_db: float | None = None
    band: Band = Band.ANNOUNCEMENT
    chime: bool | None = None
    chime_after: bool | None = None
    style: CallStyle | None = None
    art: str | None = None


class MediaChoice(Frozen):
    """Something that a person can choose for a zone: a folder of music, a playlist."""

    ref: MediaRef
    name: str


class MediaTotals(Frozen):
    """How much of one kind of media a client has."""

    count: int = 0
    seconds: float = 0.0
    bytes: int = 0

    def __add__(self, other: MediaTotals) -> MediaTotals:
        return MediaTotals(
            count=self.count + other.count,
            seconds=self.seconds + other.seconds,
            bytes=self.bytes + other.bytes,
        )


class MediaSource(ABC):
    """Resolves references of the kinds that it names. All methods run on the main loop."""

    @property
    @abstractmethod
    def kinds(self) -> frozenset[str]:
        """The kinds of `MediaRef` that this source answers to; fixed for its life."""

    @abstractmethod
    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        """The file behind `ref` in the library of `client_id`.

        Called before each track and each call; may take as long as it needs (a text is spoken
        here), the music goes on meanwhile. Raises NotFound where the client has no such thing,
        Refused where the reference makes no sense, Unavailable to be asked again later.
        """

    async def expand(
        self,
        client_id: UUID,  # noqa: ARG002  implementations look into this client's library
        ref: MediaRef,
    ) -> Sequence[MediaRef]:
        """The single items behind `ref`, in order: a folder's tracks, a playlist's entries.

        Called when something is put into a queue. The default is the reference itself.
        """
        return [ref]

    async def totals(
        self,
        client_id: UUID | None,  # noqa: ARG002  implementations count this client's files
    ) -> Mapping[str, Mapping[UUID, MediaTotals]]:
        """What is stored, by kind and client: of `client_id`, or of all clients.

        Called when somebody looks at the statistics; one query should do. The default is nothing.
        """
        return {}

    async def choices(
        self,
        client_id: UUID,  # noqa: ARG002  implementations look into this client's library
    ) -> Sequence[MediaChoice]:
        """What of it a person can choose for a zone, by name. The default is nothing.

        Publish ChoicesChanged when another call would give another answer.
        """
        return []

    @property
    def endless_kinds(self) -> frozenset[str]:
        """Those of its kinds that never come to an end; fixed for its life. See `follow`."""
        return frozenset()

    async def follow(
        self,
        client_id: UUID,
        ref: MediaRef,
        played: Sequence[MediaRef],  # noqa: ARG002  for implementations that avoid repeats
    ) -> Sequence[MediaRef]:
        """What comes after `played` where `ref` is of an endless kind: its next round.

        Called when a queue that was made of `ref` alone nears its end; `played` are the last items
        before that, oldest first. What is raised, or an empty answer, lets the queue begin again.
        """
        return await self.expand(client_id, ref)

    async def describe(self, client_id: UUID, refs: Sequence[MediaRef]) -> Mapping[MediaRef, Media]:
        """What is known of many single items; those that the client does not have are left out.

        Unlike `resolve` this need not look whether a file is there: nothing is played from it.
        """
        found = {}
        for ref in refs:
            try:
                found[ref] = await self.resolve(client_id, ref)
            except Refused:
                continue
        return found


class MediaRegistry:
    """Finds the source for a reference. Filled at start from the plugins' sources."""

    def __init__(self) -> None:
        self._sources: dict[str, MediaSource] = {}

    def add(self, source: MediaSource) -> None:
        """Let `source` answer for its kinds. Raises ValueError where a kind is taken."""
        for kind in source.kinds:
            if kind in self._sources:
                taken = type(self._sources[kind]).__name__
                raise ValueError(f"Media of kind {kind!r} is already provided by {taken}")
        for kind in source.kinds:
            self._sources[kind] = source

    @property
    def kinds(self) -> frozenset[str]:
        """All kinds that there is a source for by now."""
        return frozenset(self._sources)

    def remove(self, source: MediaSource) -> None:
        """Let `source` answer no more."""
        self._sources = {key: kept for key, kept in self._sources.items() if kept is not source}

    def _source(self, ref: MediaRef) -> MediaSource:
        if (source := self._sources.get(ref.kind)) is None:
            raise NotFound("media source for", f"{ref.kind!r}: is its plugin ready?")
        return source

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        """See `MediaSource.resolve`."""
        return await self._source(ref).resolve(client_id, ref)

    async def totals(self, client_id: UUID | None) -> dict[str, Mapping[UUID, MediaTotals]]:
        """See `MediaSource.totals`: what all sources together store."""
        found: dict[str, Mapping[UUID, MediaTotals]] = {}
        for source in dict.fromkeys(self._sources.values()):
            found.update(await source.totals(client_id))
        return found

    async def choices(self, client_id: UUID) -> list[MediaChoice]:
        """See `MediaSource.choices`: those of all sources, in the order of their plugins."""
        return [
            choice
            for source in dict.fromkeys(self._sources.values())
            for choice in await source.choices(client_id)
        ]

    async def expand(self, client_id: UUID, ref: MediaRef) -> Sequence[MediaRef]:
        """See `MediaSource.expand`."""
        return await self._source(ref).expand(client_id, ref)

    def is_endless(self, ref: MediaRef) -> bool:
        """Whether there is always more behind `ref`; see `MediaSource.endless_kinds`."""
        source = self._sources.get(ref.kind)
        return source is not None and ref.kind in source.endless_kinds

    async def follow(
        self, client_id: UUID, ref: MediaRef, played: Sequence[MediaRef]
    ) -> Sequence[MediaRef]:
        """See `MediaSource.follow`."""
        return await self._source(ref).follow(client_id, ref, played)

    async def describe(self, client_id: UUID, refs: Iterable[MediaRef]) -> Mapping[MediaRef, Media]:
        """See `MediaSource.describe`; `refs` may be of several kinds."""
        by_kind: dict[str, list[MediaRef]] = {}
        for ref in refs:
            by_kind.setdefault(ref.kind, []).append(ref)
        found: dict[MediaRef, Media] = {}
        for wanted in by_kind.values():
            found |= await self._source(wanted[0]).describe(client_id, wanted)
        return found

"""Pictures written by hand, so that they can also be wrong."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def png(width: int = 4, height: int = 3, *, claimed: tuple[int, int] | None = None) -> bytes:
    """A half transparent PNG; `claimed` is the size that it says to have."""
    rows = b"".join(b"\0" + b"\x20\x80\xf0\x80" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", *(claimed or (width, height)), 8, 6, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def png_bomb(edge: int = 30_000) -> bytes:
    """A well-formed picture of some kilobytes that would be `edge` × `edge` pixels in memory."""
    packer = zlib.compressobj(9)
    row = b"\0" + bytes(edge // 8)
    content = b"".join(packer.compress(row) for _ in range(edge)) + packer.flush()
    header = struct.pack(">IIBBBBB", edge, edge, 1, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", content), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def jpeg(width: int, height: int, **options: object) -> bytes:
    """A JPEG, with what Pillow's `save` takes, such as `exif`."""
    content = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(
        content, "JPEG", **options
    )
    return content.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

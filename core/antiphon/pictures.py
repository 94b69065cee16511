"""Makes a small, clean picture of one that a stranger sent. Runs in a job's process.

The type is told by content. Nothing of the original is kept but what is seen: no metadata, no
place where it was taken, no bytes behind the picture.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

# Decoded at most: a file of some kilobytes can claim to be a picture of many gigabytes. JPEGs are
# made smaller while they are decoded, so those of every camera are taken.
MAX_MEGAPIXELS = 24
MAX_EDGE = 1_200
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_SAY = "JPEG, PNG, WebP or GIF"


def remake(source: str, destination: str) -> dict[str, Any]:
    """Write the picture at `source` to `destination`: `{"extension": …}` or `{"refused": why}`.

    What is seen through becomes a PNG, everything else a JPEG; the longer edge is at most 1,200
    pixels, and an animation is its first frame.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we count ourselves
        try:
            with Image.open(source, formats=_FORMATS) as image:
                width, height = image.size
                image.draft("RGB", (2 * MAX_EDGE, 2 * MAX_EDGE))
                if image.width * image.height > MAX_MEGAPIXELS * 1_000_000:
                    return {"refused": f"it is {width} × {height} pixels large, which is too much"}
                seen = ImageOps.exif_transpose(image)
                see_through = seen.has_transparency_data
                seen = seen.convert("RGBA" if see_through else "RGB")
                seen.thumbnail((MAX_EDGE, MAX_EDGE))
                kind, options = ("PNG", {}) if see_through else ("JPEG", {"quality": 85})
                seen.info.clear()
                seen.save(destination, kind, optimize=True, **options)
        except UnidentifiedImageError:
            return {"refused": f"it is not a picture of the kind {_SAY}"}
        except Image.DecompressionBombError:
            return {"refused": "it has far too many pixels"}
        except (OSError, ValueError, SyntaxError, EOFError, ArithmeticError) as error:
            return {"refused": f"it is damaged ({error})"}
    return {"extension": "png" if see_through else "jpg"}


def remake_bytes(data: bytes, beside: Path) -> str | None:
    """The same for a picture in memory; the extension, or None where it is none. Blocks."""
    source = beside.with_suffix(".picture")
    try:
        source.write_bytes(data)
        found: str | None = remake(str(source), str(beside)).get("extension")
        return found
    finally:
        source.unlink(missing_ok=True)

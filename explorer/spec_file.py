"""The spec file that the page opens."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .request import LONGEST_TEXT


def spec_file(path: Path | None) -> dict[str, str] | None:
    """Name, text and digest of a spec file; None without one, and if it cannot be read now."""
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            text = file.read(LONGEST_TEXT)
    except (OSError, UnicodeDecodeError):
        return None  # being written, or gone: the page keeps its text
    return {
        "name": path.name,
        "text": text,
        "digest": hashlib.sha256(text.encode()).hexdigest(),
    }

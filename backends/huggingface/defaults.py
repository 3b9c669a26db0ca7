"""Default values, and other names of keys, of the config classes of `transformers`.

`python -m tests.huggingface.library_defaults` writes them to `defaults.json`, so that importing a
folder does not need the library. A test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_suffix(".json")

COMMAND = "python -m tests.huggingface.library_defaults"


Keys = tuple[str, ...]
"""Names of keys of config.json."""


def keys(*parts: str | Keys, without: Collection[str] = ()) -> Keys:
    """Distinct key names, from space-separated texts and collections of names."""
    names = (name for part in parts for name in (part.split() if isinstance(part, str) else part))
    return tuple(name for name in dict.fromkeys(names) if name not in without)


@cache
def stored() -> Mapping[str, Any]:
    """The content of the file: version of the library, entries, and aliases of their keys."""
    found: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return found


def library_defaults(name: str, wanted: Keys) -> dict[str, Any]:
    """The library's defaults of these keys, from one entry of the file.

    Raises RuntimeError if keys are missing.
    """
    known = stored()["entries"].get(name, {})
    if missing := [key for key in wanted if key not in known]:
        raise RuntimeError(f"{PATH.name} lacks {missing} of {name}: run `{COMMAND}`")
    return {key: known[key] for key in wanted}


def library_aliases(name: str) -> Mapping[str, str]:
    """Other name of a key that the library accepts (`attribute_map`) -> the key."""
    found: Mapping[str, str] = stored()["aliases"].get(name, {})
    return found

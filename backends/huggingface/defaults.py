"""The values that config classes of the `transformers` library give to keys left out.

They stand in `defaults.json`, which `python -m tests.huggingface.library_defaults` writes from the
library: importing a folder does not need it. A test compares the two.
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
    """Names of keys, each once, from texts with spaces between them and from other names."""
    names = (name for part in parts for name in (part.split() if isinstance(part, str) else part))
    return tuple(name for name in dict.fromkeys(names) if name not in without)


@cache
def stored() -> Mapping[str, Any]:
    """What the file holds: the version of the library, and the entries."""
    found: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return found


def library_defaults(name: str, wanted: Keys) -> dict[str, Any]:
    """The library's values of these keys, in an entry of the file.

    Raises RuntimeError for keys that the file lacks.
    """
    known = stored()["entries"].get(name, {})
    if missing := [key for key in wanted if key not in known]:
        raise RuntimeError(f"{PATH.name} lacks {missing} of {name}: run `{COMMAND}`")
    return {key: known[key] for key in wanted}

"""Docstrings of attentions, which say what is attended to."""

from __future__ import annotations

from collections.abc import Callable


def titles(title: Callable[[str], str], *, cross: bool) -> dict[str, str]:
    """The docstring of a module, from a function of what it attends to.

    Attention to a memory has another one, for a class that attends to tokens, too.
    """
    if not cross:
        return {"title": title("")}
    return {"title": title(" over a memory"), "general": title(" over tokens or a memory")}

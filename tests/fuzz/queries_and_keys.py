"""Positions that are added to queries and keys, in place of some that are added to the input."""

from __future__ import annotations

from typing import Any

from .dice import seeded

Data = dict[str, Any]

OTHERS = ("mla", "linear", "fastformer", "differential", "collaborative", "gru", "lstm")
"""Types of branches whose queries and keys cannot have such positions, or of other parts."""
DEPEND = ("'normalize'", "'project'", "'registers'", "'blocks'", "'overrides'")
"""Options that depend on positions of the input, and blocks that may repeat these."""


def move_positions(stacks: dict[str, Data], said: set[tuple[str, str, str]]) -> None:
    """Change some positions of stacks that no other stack reads."""
    for name, stack in stacks.items():
        dice = seeded(len(repr(stack)) + 3)  # of its own: the other draws stay as they were
        positions = stack.get("positions", [])
        positions = positions if isinstance(positions, list) else [positions]
        for one in positions:
            if isinstance(one, dict) and one.get("axes") == 2 and one["type"] == "sinusoidal":
                one |= {"coordinates": "turn"} if dice.often(0.5) else {}
                said |= {("Sinusoidal", key, repr(value)) for key, value in one.items()}
        read = any(f"'{name}'" in repr(other) for other in stacks.values() if other is not stack)
        unfit = (*DEPEND, *(f"'type': '{kind}'" for kind in OTHERS))
        if read or not stack["layers"] or any(word in repr(stack) for word in unfit):
            continue
        if "attention" in stack and stack["attention"] != "none" and dice.often(0.6):
            _move(stack, positions, said)


def _move(stack: Data, positions: list[Any], said: set[tuple[str, str, str]]) -> None:
    """Add all positions of a stack that are vectors to queries and keys."""
    found = [one if isinstance(one, dict) else {"type": one} for one in positions]
    moved = [one for one in found if one["type"] in ("learned", "sinusoidal")]
    for one in moved:
        one["add_to"] = "queries_and_keys"
        said.add((one["type"].capitalize(), "add_to", "'queries_and_keys'"))
    if not moved:
        return
    stack["positions"] = found
    source = stack.get("input")
    if isinstance(source, dict) and source.get("type") == "learned":
        source["type"] = "zeros"
        said |= {("input", "type", "zeros")}
        said |= {("ZeroInput", key, repr(value)) for key, value in source.items()}

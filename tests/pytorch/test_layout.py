"""Where long lines of an emitted file are broken."""

from __future__ import annotations

import pytest

from modelwright.backends.pytorch.code.read import read_block
from modelwright.backends.pytorch.code.show import show

SUM = "x = self.text.token_embedding(input_ids) + self.text.position_embedding(position_ids)"


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (SUM, ["        # (B, T, D)", f"        {SUM}"]),
        (
            SUM.replace("position_ids", "position_ids + self.config.offset"),
            [
                "        x = self.text.token_embedding(input_ids) + self.text.position_embedding(",
                "            position_ids + self.config.offset",
                "        )  # (B, T, D)",
            ],
        ),
        (
            f"{SUM} + self.other(x)",
            [
                "        x = (",
                "            self.text.token_embedding(input_ids)",
                "            + self.text.position_embedding(position_ids)",
                "            + self.other(x)",
                "        )  # (B, T, D)",
            ],
        ),
        (
            "x = self.one(x) + self.other(x)",
            ["        x = self.one(x) + self.other(x)  # (B, T, D)"],
        ),
    ],
)
def test_a_sum(line: str, lines: list[str]) -> None:
    (statement,) = read_block(f"{line}  # (B, T, D)")
    assert [printed.text for printed in show(statement, depth=2)] == lines


def test_more_names_than_fit_on_a_line() -> None:
    names = [f"output_scale_of_branch_{number}" for number in range(5)]
    (statement,) = read_block(f"{', '.join(names)} = modulation.chunk(5, dim=-1)  # (B, D) each")
    assert [printed.text for printed in show(statement, depth=1)] == [
        "    (",
        *(f"        {name}," for name in names),
        "    ) = modulation.chunk(5, dim=-1)  # (B, D) each",
    ]


def test_what_follows_the_first_brackets_is_broken_too() -> None:
    names = ", ".join(f'"{name}_norm.weight"' for name in ("attention", "feed_forward", "head"))
    last = 'name.startswith("notes.layers.") and name.endswith(".cross_attention_norm.weight")'
    (statement,) = read_block(f"if name.endswith(({names}, {names})) or ({last}):\n    pass")
    assert [printed.text for printed in show(statement, depth=3)][-5:] == [
        "                )",
        "            ) or (",
        f"                {last}",
        "            ):",
        "                pass",
    ]

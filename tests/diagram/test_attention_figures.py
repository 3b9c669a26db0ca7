"""Figures of attention maps: cells at the weights, and their text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import torch

import modelwright as mw
from modelwright.backends.diagram import DrawError
from modelwright.backends.diagram.attention import AttentionOptions, HeatMap, draw_heat_maps
from modelwright.backends.diagram.attention.heat import mostly, step_of
from modelwright.backends.diagram.masks.colours import HEAT, STEPS, tone

WORDS = ("the", "cat", "sat")
ROWS = ((1.0, 0.0, 0.0), (0.3, 0.7, 0.0), (0.1, 0.8, 0.1))


def heat(head: int = 0, module: str = "layers.0.attention") -> HeatMap:
    return HeatMap(module, head, ROWS, WORDS, WORDS)


def cells(svg: str, css: str) -> int:
    """Number of cells of a colour, without the one of the legend."""
    return sum(path.count("M") for path in re.findall(rf'class="{css}"[^>]* d="([^"]*)"', svg)) - 1


def test_every_weight_has_a_cell_of_its_step() -> None:
    svg = draw_heat_maps([heat()]).decode()
    assert cells(svg, "masked") == 3
    for step, (low, high) in enumerate(zip(STEPS, (*STEPS[1:], 2), strict=True)):
        count = sum(low <= weight < high for row in ROWS for weight in row if weight)
        assert cells(svg, HEAT[step]) == count
    words = re.findall(r">([^<]*)</text>", svg)
    assert [words.count(word) for word in WORDS] == [2, 2, 2]
    assert words[6:8] == ["layers.0.attention", "head 0: previous token 55 %"]


@pytest.mark.parametrize("maps", [[heat()], [heat(head) for head in range(7)]])
def test_everything_is_on_the_page(maps: list[HeatMap]) -> None:
    svg = draw_heat_maps(maps).decode()
    width, height = (float(n) for n in re.findall(r'viewBox="0 0 (\S+) (\S+)"', svg)[0])
    for x, y, text in re.findall(r'<text [^>]*x="(\S+)" y="(\S+)"[^>]*>([^<]*)<', svg):
        assert 0 <= float(x) <= width, text
        assert 0 <= float(y) <= height, text
    assert svg.index(">masked</text>")
    for x, y in re.findall(r"M([\d.]+) ([\d.]+)h", svg):
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height


@pytest.mark.parametrize("count", [1, 7])
def test_the_legend_has_what_is_there(count: int) -> None:
    """No cell of this map is masked."""
    full = [HeatMap("attention", head, ((1.0, 0.5),), ("a",), ("b", "c")) for head in range(count)]
    assert ">masked<" not in draw_heat_maps(full).decode()
    assert ">masked<" in draw_heat_maps([*full[1:], heat()]).decode()


def test_stacks_are_named() -> None:
    crossing = HeatMap("cross_attention", 0, ((1.0,),), ("a",), ("b",), ("text", "image"))
    assert ">rows: text, columns: image<" in draw_heat_maps([crossing]).decode()
    sheet = draw_heat_maps([replace(crossing, head=head) for head in range(7)]).decode()
    words = re.findall(r">([^<]*)</text>", sheet)
    assert {"text, 1 token: a", "image, 1 token: b"} <= {*words}
    assert words[-1] == "rows are queries, columns are keys; cross_attention: text × image"


def test_steps_begin_at_their_limits() -> None:
    assert [step_of(limit) for limit in STEPS] == list(range(len(STEPS)))
    assert step_of(1.0) == len(STEPS) - 1


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_steps_grow_darker_or_lighter(theme: str) -> None:
    shades = [sum(bytes.fromhex(tone(name, theme)[1:])) for name in HEAT]
    assert shades == sorted(shades, reverse=theme != "dark")
    assert len(set(shades)) == len(shades)


def test_what_a_head_mostly_reads() -> None:
    """Means of the queries after the first: 0.2 of the first token, 0.4 and 0.55."""
    assert mostly(heat()) == "previous token 55 %"
    crossing = HeatMap("cross_attention", 0, ROWS, WORDS, ("a", "b", "c"))
    assert mostly(crossing) == ""


def test_equal_shares_are_no_finding() -> None:
    """Weights of an untrained model are about equal, so that no key is read most."""
    causal = tuple(tuple(1 / (q + 1) if k <= q else 0.0 for k in range(3)) for q in range(3))
    full = ((1 / 3,) * 3,) * 3
    for rows in (causal, full):
        assert mostly(HeatMap("attention", 0, rows, WORDS, WORDS)) == "about equal"
    tied = ((1.0, 0.0, 0.0), (0.45, 0.45, 0.1), (0.4, 0.1, 0.5))
    assert mostly(HeatMap("attention", 0, tied, WORDS, WORDS)) == "itself 48 %"
    tied = ((1.0, 0.0, 0.0), (0.4, 0.4, 0.2), (0.3, 0.1, 0.3))
    found = mostly(HeatMap("attention", 0, tied, WORDS, WORDS))
    assert found == "first token and itself 35 % each"
    tied = ((1.0, 0.0, 0.0), (0.4, 0.4, 0.2), (0.1, 0.1, 0.1))
    assert mostly(HeatMap("attention", 0, tied, WORDS, WORDS)) == ""
    nearly = ((1.0, 0.0, 0.0), (0.35, 0.35, 0.3), (0.35, 0.3, 0.35))
    assert mostly(HeatMap("attention", 0, nearly, WORDS, WORDS)) == "about equal"


def test_many_maps_are_a_sheet() -> None:
    maps = [heat(head, f"layers.{layer}.attention") for layer in range(3) for head in range(4)]
    svg = draw_heat_maps(maps).decode()
    assert svg.count('class="panel"') == 12
    words = re.findall(r">([^<]*)</text>", svg)
    assert {"head 3", "layers.2.attention", "3 tokens: the cat sat"} <= {*words}
    assert "<title>layers.2.attention, head 3: previous token 55 %</title>" in svg
    assert "prefers-color-scheme:dark" in svg
    assert draw_heat_maps(maps, "png")[:4] == b"\x89PNG"
    assert draw_heat_maps(maps, "pdf", AttentionOptions(theme="dark"))[:5] == b"%PDF-"


def test_rows_of_cross_attention_are_as_high_as_their_queries() -> None:
    flat = HeatMap("cross_attention", 0, ((0.5, 0.5, 0.0, 0.0),), ("a",), ("b", "c", "d", "e"))
    maps = [flat, *(heat(head) for head in range(6))]
    svg = draw_heat_maps(maps).decode()
    assert "1 token: a" in svg
    assert "4 tokens: b c d e" in svg


def test_figures_that_cannot_be_drawn() -> None:
    with pytest.raises(DrawError, match="unknown format `gif`"):
        draw_heat_maps([heat()], "gif")
    with pytest.raises(DrawError, match="no attention maps to draw"):
        draw_heat_maps([])
    with pytest.raises(DrawError, match="2,000 attention maps are too many"):
        draw_heat_maps([heat()] * 2000)
    with pytest.raises(DrawError, match="unknown theme `pink`"):
        AttentionOptions(theme="pink")


def test_maps_of_a_model() -> None:
    text = """
name: small
family: encoder-decoder
vocab_size: 30
d_model: 16
layers: 2
positions: rotary
attention: {heads: 2}
head: language_model
"""
    model = mw.compile(mw.loads(text))
    ids = torch.tensor([[3, 4, 5, 6]])
    maps = mw.attention_maps(model, input_ids=ids, decoder_input_ids=ids[:, :2])
    names = {"encoder": ["a", "b", "c", "d"], "decoder": ["x", "y"]}
    svg = mw.draw_attention(maps, names, only="cross_attention", layers=[1]).decode()
    words = re.findall(r">([^<]*)</text>", svg)
    assert [word for word in words if len(word) == 1][:6] == ["x", "y", "a", "b", "c", "d"]
    assert svg.count('class="panel"') == 2
    assert mw.draw_attention(maps, heads=[0]).count(b'class="panel"') == 6
    with pytest.raises(
        DrawError, match=r"no attention map matches layer 7, head 1; available: enc"
    ):
        mw.draw_attention(maps, layers=[7], heads=[1])

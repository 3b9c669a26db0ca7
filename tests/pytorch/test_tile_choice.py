"""Which layers use tiles: by their mask and length, by request, or refused with a reason."""

from __future__ import annotations

import re
import sys

import pytest
import torch
from tile_cases import (
    DECODER,
    ENCODER,
    EXACT,
    EXAMPLES,
)

import modelwright as mw
from modelwright.backends.pytorch import BuildError, BuildOptions, emit_file
from modelwright.backends.verify.laws.tiling import tiles_of
from modelwright.compiler import ModuleGraph
from modelwright.compiler.other_kernels import EVERY, OTHERS, lacks


def graph_of(text: str, *sets: str) -> ModuleGraph:
    return mw.lower(mw.loads(text, sets=sets))


def test_a_kernel_can_be_forced() -> None:
    graph = graph_of(DECODER, "positions=learned", "max_positions=64")
    assert "Tile" not in emit_file(graph).text
    text = emit_file(graph, BuildOptions(kernel="tiles")).text
    assert "DENSE = 1  #" in text
    assert "--kernel tiles" in text
    assert "class Tile(" not in emit_file(graph_of(DECODER), BuildOptions(kernel="dense")).text


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        (("mask=causal",), "SDPA needs no mask tensor for a causal mask"),
        (("positions=disentangled",), "it is added to a bias of all pairs"),
        (("positions=alibi", "mask=causal"), "half of all scores or more are needed"),
        (
            ("mask=[causal & window(2), causal & strided(2)]", "positions=alibi"),
            "its heads have different masks, which are added to a bias",
        ),
        (
            ("mask=[causal & window(2), causal & strided(2)]", "attention.sinks=true"),
            "its heads have different masks and sinks",
        ),
        (
            ("mask=[causal & window(2), causal & strided(2)]", "attention.score=additive"),
            "its heads have different masks and score vectors",
        ),
    ],
)
def test_a_kernel_that_does_not_fit_says_why(sets: tuple[str, ...], reason: str) -> None:
    with pytest.raises(
        BuildError, match=re.escape(f"--kernel tiles does not apply to tiny: {reason}")
    ):
        emit_file(graph_of(DECODER, *sets), BuildOptions(kernel="tiles"))


def test_the_spec_can_ask_for_a_kernel() -> None:
    """`attention.kernel` is what `--kernel` is, which overrides it."""
    texts = {
        kernel: emit_file(graph_of(DECODER, f"attention.kernel={kernel}")).text
        for kernel in ("auto", "dense", "tiles")
    }
    assert "DENSE = 1024  #" in texts["auto"]
    assert "DENSE = 1  #" in texts["tiles"]
    assert "class Tile(" not in texts["dense"]
    asked = graph_of(DECODER, "attention.kernel=dense")
    assert "DENSE = 1  #" in emit_file(asked, BuildOptions(kernel="tiles")).text
    asked = graph_of(DECODER, "attention.kernel=tiles")
    assert "class Tile(" not in emit_file(asked, BuildOptions(kernel="dense")).text
    assert mw.report(asked, sequence=256).computed[0] == pytest.approx(70 / 256, rel=0.02)


@pytest.mark.parametrize("option", ["static_cache", "attention_weights"])
def test_files_without_tiles_refuse_a_spec_that_asks_for_them(option: str) -> None:
    graph = graph_of(DECODER, "attention.kernel=tiles")
    with pytest.raises(BuildError, match="asks for `kernel: tiles`; add --kernel dense"):
        emit_file(graph, BuildOptions(**{option: True}))
    emit_file(graph, BuildOptions(kernel="dense", **{option: True}))


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        (("mask=causal",), "SDPA needs no mask tensor for a causal mask"),
        (("positions=disentangled",), "it is added to a bias of all pairs"),
        (("positions=alibi", "mask=causal"), "half of all scores or more are needed"),
    ],
)
def test_tiles_that_no_layer_can_have_are_an_error_of_the_spec(
    sets: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(mw.SpecErrors) as caught:
        graph_of(DECODER.replace("heads: 4", "heads: 4, kernel: tiles"), *sets)
    message = "`kernel: tiles` does not apply to any layer of this stack: "
    assert [problem.message for problem in caught.value.problems] == [message + reason]
    assert caught.value.problems[0].mark.text.startswith("attention:")


def test_the_kernel_of_a_stack_is_that_of_its_layers() -> None:
    """Of two stacks, one asks for tiles at any length, the other has them for long sequences."""
    text = DECODER.replace("decoder-only", "encoder-decoder").replace("causal & window(4)", "full")
    text = text.replace("mask: full\n", "") + (
        "encoder: {mask: band(1), attention: {heads: 4, kernel: tiles}}\n"
        "decoder: {mask: causal & window(2)}\n"
    )
    model = mw.compile(mw.loads(text))
    module = sys.modules[type(model).__module__]
    like = torch.zeros(1)
    assert len(module.band_tiles(0, 200, 1, None, like)) == 4
    assert len(module.causal_window_tiles(0, 200, 2, None, like)) == 1


@pytest.mark.parametrize(
    ("mask", "sequence", "share"),
    [
        ("causal & window(65)", 1023, 1.0),
        ("causal & window(65)", 4096, 128 / 4096),
        ("causal", 4096, 0.5),
        ("causal & strided(3)", 4096, (1366 + 64) / 2 / 3 / 1366),
        ("causal & strided(128)", 16384, 0.75 / 128),
        ("causal & window(1024) & strided(8)", 4096, (64 + 128 + 6 * 191) / 8 / 4096),
        ("blocks(64)", 4096, 64 / 4096),
    ],
)
def test_the_share_of_scores_that_are_computed(mask: str, sequence: int, share: float) -> None:
    graph = graph_of(DECODER if "causal" in mask else ENCODER, f"mask={mask}")
    assert mw.report(graph, sequence=sequence).computed[0] == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize(
    ("sets", "reason"),
    [((), OTHERS), (("attention.softcap=5.0",), EVERY)],
    ids=["sdpa", "explicit"],
)
def test_a_causal_layer_beside_tiles_says_what_dense_lacks(
    sets: tuple[str, ...], reason: str
) -> None:
    """SDPA masks the whole layer at once; explicit scores are computed in tiles too."""
    blocks = ("blocks={a: {mask: causal}, b: {}}", "pattern=[a, b]", "layers=2")
    graph = graph_of(DECODER, *blocks, *sets)
    attends = [op for op in graph.ops() if op.kind == "attend"]
    found = {str(op.attrs["formula"]): lacks(graph, op, crosses=False)["dense"] for op in attends}
    assert found == {"causal": reason, "causal & window(4)": EVERY}


TWO = """
name: tiny
vocab_size: 40
d_model: 16
layers: 1
attention: {heads: 4}
stacks:
  a: {positions: alibi, mask: MASK, attention: {kernel: KERNEL}}
  b: {positions: rotary, mask: MASK, input: {type: tokens, argument: other_ids}}
"""


@pytest.mark.parametrize("kernel", ["dense", "tiles"])
@pytest.mark.parametrize("mask", ["strided(3)", "blocks(4)"])
def test_stacks_with_other_kernels_have_functions_of_their_own(mask: str, kernel: str) -> None:
    model = mw.compile(
        mw.loads(TWO.replace("MASK", mask).replace("KERNEL", kernel)), dtype="float64"
    )
    ids = torch.randint(0, 40, (2, 20), generator=torch.Generator().manual_seed(2))
    found = []
    for size in (0, 3):
        with tiles_of(sys.modules[type(model).__module__], size), torch.no_grad():
            found.append(model(input_ids=ids, other_ids=ids))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=0, atol=EXACT)


@pytest.mark.sampled(12)
@pytest.mark.parametrize("kernel", ["dense", "tiles", "flex"])
@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.yaml")))
def test_each_kernel_is_used_or_refused_in_words(name: str, kernel: str) -> None:
    """`--kernel` is never ignored."""
    graph = mw.lower(mw.load(EXAMPLES / f"{name}.yaml"))
    text = refusal = ""
    try:
        text = emit_file(graph, BuildOptions(kernel=kernel)).text
    except BuildError as error:
        refusal = str(error)
    if text:
        marks = {"tiles": "class Tile(", "flex": "flex_attention"}
        found = [mark for mark, word in marks.items() if word in text]
        assert found == ([] if kernel == "dense" else [kernel])
    else:
        assert kernel != "dense"
        assert re.match(rf"--kernel {kernel} does not apply to {graph.name}: .{{10}}", refusal)

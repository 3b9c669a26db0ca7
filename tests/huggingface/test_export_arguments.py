"""Arguments that tokenizers and other callers pass to every model, given to exported ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from exported import BOTH, DECODER, ENCODER, HEADS, LOADERS, VOCABULARY, exported, load

import modelwright as mw
from modelwright.backends.huggingface.emitted import read_emitted
from modelwright.backends.huggingface.errors import ExportError
from modelwright.backends.huggingface.wrapper import write_wrapper
from modelwright.backends.pytorch.weights import WeightsError
from modelwright.spec import loads

PLAIN = ENCODER.replace("input: {add: {token_type_ids: 2}}", "")
KINDS = {
    "decoder": (DECODER, "AutoModelForCausalLM", "text-generation"),
    "pair": (BOTH, "AutoModelForSeq2SeqLM", ""),
    "masked": (PLAIN + HEADS["masked"], LOADERS["masked"], "fill-mask"),
    "sequences": (PLAIN + HEADS["sequences"], LOADERS["sequences"], "text-classification"),
    "tokens": (PLAIN + HEADS["tokens"], LOADERS["tokens"], "token-classification"),
    "none": (PLAIN + HEADS["none"], LOADERS["none"], "feature-extraction"),
}
WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", *(f"w{i}" for i in range(5, VOCABULARY))]
TEXTS = ["w5 w6 w7 w8 [MASK]", "w9 [MASK]"]


OFTEN = ("decoder", "pair", "masked")


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=() if kind in OFTEN else pytest.mark.slow) for kind in KINDS],
)
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, code_cache: None
) -> tuple[str, Any, Any]:
    """The name of a kind, its exported model, and a tokenizer that returns token types."""
    text, loader, _ = KINDS[request.param]
    # Old versions of the library keep the code of folders by the name of the folder alone.
    folder = tmp_path_factory.mktemp("arguments") / f"arguments_{request.param}"
    exported(text, folder)
    tokenizer = transformers.BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)})
    return request.param, load(folder, loader).eval(), tokenizer


def arguments(kind: str, tokenizer: Any, **options: Any) -> dict[str, Any]:
    """What a tokenizer returns for two texts."""
    given = dict(tokenizer(TEXTS, return_tensors="pt", padding=True, **options))
    return {**given, "decoder_input_ids": given["input_ids"]} if kind == "pair" else given


@torch.no_grad()
def test_what_every_tokenizer_returns_is_accepted(case: tuple[str, Any, Any]) -> None:
    """As in the library's classes, what a model does not read changes nothing."""
    kind, model, tokenizer = case
    given = arguments(kind, tokenizer)
    assert "token_type_ids" in given
    less = {name: x for name, x in given.items() if name != "token_type_ids"}
    extra = arguments(kind, tokenizer, return_special_tokens_mask=True, return_length=True)
    places = torch.arange(given["input_ids"].size(1))[None]
    extra |= {"position_ids": places, "cache_position": places[0], "use_cache": False}
    for passed in (given, extra, {**less, "head_mask": None, "bool_masked_pos": None}):
        assert torch.equal(model(**passed)[0], model(**less)[0])


@pytest.mark.parametrize(
    "name", ["head_mask", "num_logits_to_keep", "num_items_in_batch", "lables"]
)
def test_what_would_change_the_result_is_refused(case: tuple[str, Any, Any], name: str) -> None:
    kind, model, tokenizer = case
    with pytest.raises(ValueError, match=rf"does not support `{name}`: .*forward takes input_ids"):
        model(**arguments(kind, tokenizer), **{name: 1})


def test_pipelines_of_such_a_tokenizer(case: tuple[str, Any, Any]) -> None:
    kind, model, tokenizer = case
    if not KINDS[kind][2]:
        with pytest.raises(ValueError, match="must be an EncoderDecoderCache, not DynamicCache"):
            model(**arguments(kind, tokenizer), past_key_values=transformers.DynamicCache())
        return
    pipe = transformers.pipeline(KINDS[kind][2], model=model, tokenizer=tokenizer, device="cpu")
    assert len(pipe(TEXTS, batch_size=2)) == len([pipe(text) for text in TEXTS])
    assert model.accepts_loss_kwargs is False  # read by `Trainer`, which divides the loss itself


@pytest.mark.parametrize("name", ["inputs_embeds", "return_dict", "ids", "seen", "others"])
def test_inputs_with_a_name_of_the_wrapper_are_refused(name: str) -> None:
    emitted = read_emitted(
        mw.lower(loads(ENCODER.replace("token_type_ids", name) + HEADS["masked"]))
    )
    with pytest.raises(ExportError, match=f"its input `{name}` is also a name in a Hugging Face"):
        write_wrapper(emitted, "float32")


def test_a_model_without_weights_is_refused(tmp_path: Path) -> None:
    spec = loads(PLAIN)
    with pytest.raises(WeightsError, match="is on the meta device: it has no weights to export"):
        mw.export(spec, mw.compile(spec, device="meta"), tmp_path / "m")

"""Exports with their own code: hidden states, attention weights, vectors in place of tokens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from exported import BOTH, COMMON, ENCODER, HEADS, PLACED, exported, load, moved, prompts

import modelwright as mw
from modelwright.backends.huggingface import export_custom, import_folder

SIZES = {
    "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4,
    "vocab_size": 61, "max_position_embeddings": 40, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2,
}  # fmt: skip
LLAMA = tf.LlamaForCausalLM, tf.LlamaConfig(**SIZES, num_key_value_heads=2)
GEMMA = tf.Gemma3ForCausalLM, tf.Gemma3TextConfig(
    **SIZES, head_dim=8, num_key_value_heads=2, sliding_window=4,
    layer_types=["sliding_attention", "full_attention", "sliding_attention"],
)  # fmt: skip
GPT2 = tf.GPT2LMHeadModel, tf.GPT2Config(
    vocab_size=61, n_positions=40, n_embd=32, n_layer=3, n_head=4, pad_token_id=0, bos_token_id=1,
    eos_token_id=2,
)  # fmt: skip
BERT = tf.BertForMaskedLM, tf.BertConfig(**SIZES)
CLASSES = tf.BertForSequenceClassification, tf.BertConfig(**SIZES)
NAMED = {"llama": LLAMA, "gemma3": GEMMA, "gpt2": GPT2, "bert": BERT, "bert-classes": CLASSES}


def both(tmp_path: Path, kind: Any, config: Any, loader: str) -> tuple[Any, Any]:
    """The library's model with random weights, and the same one exported with its own code."""
    torch.manual_seed(0)
    config._attn_implementation = "eager"
    theirs = kind(config).eval()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    theirs.save_pretrained(tmp_path / "theirs")
    spec = mw.loads(import_folder(tmp_path / "theirs"))
    folder = tmp_path / f"ours_{tmp_path.name}"  # the library knows code by the folder's name
    export_custom(spec, tmp_path / "theirs", folder)
    return theirs, load(folder, loader).eval()


def close(ours: Any, theirs: Any, real: torch.Tensor) -> bool:
    """Equal at the tokens that are no padding."""
    return bool((ours - theirs)[real].abs().max() < 1e-5)


@pytest.mark.parametrize("name", NAMED)
def test_inner_states_are_the_library_s(name: str, tmp_path: Path, code_cache: None) -> None:
    kind, config = NAMED[name]
    loader = {"bert": "AutoModelForMaskedLM"}.get(name, "AutoModelForCausalLM")
    loader = "AutoModel" if name == "bert-classes" else loader
    if name == "bert-classes":
        loader = "AutoModelForSequenceClassification"
    theirs, ours = both(tmp_path, kind, config, loader)
    given, options = prompts(padded=True), {"output_hidden_states": True, "output_attentions": True}
    wanted, found = theirs(**given, **options), ours(**given, **options)
    real = given["attention_mask"].bool()
    assert len(found.hidden_states) == len(wanted.hidden_states) == 4
    for mine, other in zip(found.hidden_states, wanted.hidden_states, strict=True):
        assert close(mine, other, real)
    assert len(found.attentions) == len(wanted.attentions) == 3
    for mine, other in zip(found.attentions, wanted.attentions, strict=True):
        assert close(mine.transpose(1, 2), other.transpose(1, 2), real)
    plain = ours(**given)
    assert plain.hidden_states is plain.attentions is None
    assert torch.equal(plain.logits, found.logits)
    ours.config.output_hidden_states = True
    assert len(ours(**given).hidden_states) == 4


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (
            tf.T5ForConditionalGeneration,
            tf.T5Config(
                vocab_size=61, d_model=32, d_kv=8, d_ff=40, num_layers=2, num_heads=4,
                decoder_start_token_id=0, dropout_rate=0.0,
            ),
        ),
        (
            tf.BartForConditionalGeneration,
            tf.BartConfig(
                vocab_size=61, d_model=32, encoder_layers=2, decoder_layers=2, dropout=0.0,
                encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=40,
                decoder_ffn_dim=40, max_position_embeddings=40,
            ),
        ),
    ],
    ids=["t5", "bart"],
)  # fmt: skip
def test_inner_states_of_both_stacks(
    kind: Any, config: Any, tmp_path: Path, code_cache: None
) -> None:
    theirs, ours = both(tmp_path, kind, config, "AutoModelForSeq2SeqLM")
    given = {**prompts(padded=True), "decoder_input_ids": prompts(length=5)["input_ids"]}
    options = {"output_hidden_states": True, "output_attentions": True}
    wanted, found = (model(**given, **options) for model in (theirs, ours))
    real = {"encoder": given["attention_mask"].bool(), "decoder": torch.ones(3, 5).bool()}
    for field, count in {
        "encoder_hidden_states": 3, "decoder_hidden_states": 3, "encoder_attentions": 2,
        "decoder_attentions": 2, "cross_attentions": 2,
    }.items():  # fmt: skip
        shown = real["encoder" if field.startswith("encoder") else "decoder"]
        assert len(getattr(found, field)) == count
        for mine, other in zip(getattr(found, field), getattr(wanted, field), strict=True):
            one, two = (x.transpose(1, 2) if x.ndim == 4 else x for x in (mine, other))
            assert (one - two)[shown].abs().max() < 1e-4
    assert torch.equal(found.logits, ours(**given).logits)
    steps = {**options, "max_new_tokens": 3, "do_sample": False, "return_dict_in_generate": True}
    steps |= {"min_new_tokens": 3}
    wanted, found = (model.generate(**prompts(), **steps) for model in (theirs, ours))
    assert torch.equal(found.sequences, wanted.sequences)
    for field in ("decoder_attentions", "cross_attentions"):
        for mine, other in zip(getattr(found, field), getattr(wanted, field), strict=True):
            assert all((x - y).abs().max() < 1e-4 for x, y in zip(mine, other, strict=True))


@pytest.mark.parametrize("tied", [True, False])
def test_vectors_in_place_of_both_texts(tied: bool, tmp_path: Path, code_cache: None) -> None:
    name = "one" if tied else "two"  # the library knows code by the folder's name
    text = BOTH.replace("layers: 2,", "layers: 2, input: {tied: encoder},") if tied else BOTH
    exported(text, tmp_path / name)
    model = load(tmp_path / name, "AutoModelForSeq2SeqLM").eval()
    given, ids = prompts(padded=True), prompts(length=5)["input_ids"]
    mask = {"attention_mask": given["attention_mask"]}
    tables = [model.model.token_embedding] * 2 if tied else [
        model.model.encoder.token_embedding, model.model.decoder.token_embedding
    ]  # fmt: skip
    vectors = [table(x) for table, x in zip(tables, (given["input_ids"], ids), strict=True)]
    logits = model(**given, decoder_input_ids=ids).logits
    made = model(inputs_embeds=vectors[0], decoder_inputs_embeds=vectors[1], **mask, labels=ids)
    assert torch.equal(made.logits, logits)
    assert torch.equal(made.loss, model.model.loss(logits, ids))
    options = {"max_new_tokens": 6, "do_sample": False}
    texts = [model.generate(**given, **options, num_beams=2)]
    texts.append(model.generate(inputs_embeds=vectors[0], **mask, **options, num_beams=2))
    assert torch.equal(*texts)
    for wrong in ({**given, "inputs_embeds": vectors[0]}, {"decoder_inputs_embeds": vectors[1]}):
        with pytest.raises(ValueError, match="pass either token ids or their embeddings"):
            model(**given | wrong, decoder_input_ids=ids)


def test_new_tokens_continue_the_last_document(tmp_path: Path, code_cache: None) -> None:
    ours = exported(f"{PLACED}\nmask: causal & documents", tmp_path / "documents")
    theirs, ids = load(tmp_path / "documents").eval(), prompts()["input_ids"]
    marks = torch.tensor([[0, 0, 0, 0, 0, 1, 1, 1]]).repeat(3, 1)
    options = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}
    expected, grown = ids, marks
    for _ in range(6):
        new = ours(expected, document_ids=grown)[:, -1:].argmax(-1)
        expected, grown = (
            torch.cat([expected, new], dim=1),
            torch.cat([grown, grown[:, -1:]], dim=1),
        )
    for cached in (True, False):
        made = theirs.generate(ids, document_ids=marks, **options, use_cache=cached)
        assert torch.equal(made, expected)
    assert not torch.equal(theirs.generate(ids, **options), expected)


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "bert-classes"])
def test_vectors_in_place_of_tokens(name: str, tmp_path: Path, code_cache: None) -> None:
    kind, config = NAMED[name]
    loader = {"bert": "AutoModelForMaskedLM", "bert-classes": "AutoModelForSequenceClassification"}
    _, ours = both(tmp_path, kind, config, loader.get(name, "AutoModelForCausalLM"))
    given = prompts(padded=True)
    vectors = ours.get_input_embeddings()(given["input_ids"])
    mask = {"attention_mask": given["attention_mask"]}
    found = ours(inputs_embeds=vectors, **mask).logits
    assert torch.equal(found, ours(**given).logits)
    found.sum().backward()
    assert ours.get_input_embeddings().weight.grad.abs().sum() > 0
    if ours.can_generate():
        options = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None}
        made = ours.generate(inputs_embeds=vectors, **mask, **options)
        assert torch.equal(made, ours.generate(**given, **options)[:, 8:])


def test_vectors_are_refused_where_the_ids_are_read_elsewhere(
    tmp_path: Path, code_cache: None
) -> None:
    """RoBERTa's positions skip padding, which the ids tell."""
    config = tf.RobertaConfig(**{**SIZES, "max_position_embeddings": 42})
    _, ours = both(tmp_path, tf.RobertaForMaskedLM, config, "AutoModelForMaskedLM")
    with pytest.raises(ValueError, match="the model reads the ids, too"):
        ours(inputs_embeds=torch.zeros(1, 3, 32))


def test_generate_returns_inner_states(tmp_path: Path, code_cache: None) -> None:
    theirs, ours = both(tmp_path, *LLAMA, "AutoModelForCausalLM")
    options = {
        "max_new_tokens": 3, "do_sample": False, "return_dict_in_generate": True,
        "output_hidden_states": True, "output_attentions": True, "eos_token_id": None,
    }  # fmt: skip
    wanted, found = (model.generate(**prompts(), **options) for model in (theirs, ours))
    assert torch.equal(found.sequences, wanted.sequences)
    for field in ("hidden_states", "attentions"):
        for mine, other in zip(getattr(found, field), getattr(wanted, field), strict=True):
            for one, two in zip(mine, other, strict=True):
                assert one.shape == two.shape
                assert (one - two).abs().max() < 1e-5


LINEAR = f"""
name: sums
family: decoder-only
{COMMON}
attention: {{type: linear, heads: 4}}
positions: learned
head: language_model
"""
MIXED = LINEAR.replace("name: sums", "name: mixed").replace(
    "attention: {type: linear, heads: 4}",
    "blocks:\n  sums: {attention: {type: linear, heads: 4}}\n  full: {attention: {heads: 4}}\n"
    "pattern: [sums, full]",
)


@pytest.mark.parametrize("text", [LINEAR, MIXED], ids=["linear", "mixed"])
@pytest.mark.parametrize("padded", [False, True])
def test_running_sums_are_kept_between_steps(
    text: str, padded: bool, tmp_path: Path, code_cache: None
) -> None:
    ours = exported(text, tmp_path / "m")
    theirs, given = load(tmp_path / "m").eval(), prompts(padded=padded)
    expected = ours.generate(given["input_ids"], 8, given["attention_mask"], temperature=0)
    lengths: list[int] = []
    hook = theirs.model.token_embedding.register_forward_pre_hook(
        lambda _, ids: lengths.append(ids[0].size(1))
    )
    options = {"max_new_tokens": 8, "do_sample": False}
    assert torch.equal(theirs.generate(**given, **options), expected)
    hook.remove()
    assert lengths[0] == 8
    assert set(lengths[1:]) == {1}
    beams = [
        theirs.generate(**given, **options, num_beams=3, use_cache=cached)
        for cached in (True, False)
    ]
    assert torch.equal(*beams)


def test_running_sums_refuse_another_cache(tmp_path: Path, code_cache: None) -> None:
    exported(LINEAR, tmp_path / "m")
    theirs = load(tmp_path / "m").eval()
    with pytest.raises(ValueError, match="must be a RunningCache, not a DynamicCache"):
        theirs(**prompts(), past_key_values=tf.DynamicCache())
    found = theirs(**prompts(), use_cache=True)
    kept = getattr(found, "cache", None) or found.past_key_values
    assert kept.get_seq_length() == 8
    with pytest.raises(ValueError, match="cannot be cut back"):
        kept.crop(4)


@pytest.mark.parametrize("text", [LINEAR, MIXED, BOTH, ENCODER + HEADS["tokens"]])
def test_the_classes_around_import_what_they_use(text: str, tmp_path: Path) -> None:
    export_custom(mw.loads(text), moved(text), tmp_path / "m")
    (path,) = (tmp_path / "m").glob("modeling_*.py")
    names = re.findall(r"^(?:from \S+ import|import) (.+)$", path.read_text(), re.M)
    said = [name.split()[-1] for line in names for name in line.split(", ")]
    assert len(said) == len(set(said))
    compile(path.read_text(), str(path), "exec")

"""Exported decoders used with transformers, its Trainer, its pipelines and PEFT."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import tokenizers
import torch
import transformers
from exported import DECODER, PLACED, VOCABULARY, exported, load, prompts, texts

import modelwright as mw
from modelwright.spec import loads

SPECS = {"odd": DECODER, "placed": PLACED}
NEW = 10


@pytest.fixture(scope="module", params=SPECS)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, code_cache: None
) -> tuple[Any, Any]:
    """Our model, and the exported one."""
    folder = tmp_path_factory.mktemp("causal") / request.param
    ours = exported(SPECS[request.param], folder)
    return ours, load(folder).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, code_cache: None) -> Path:
    place = tmp_path_factory.mktemp("causal") / "odd"
    exported(DECODER, place)
    return place


@pytest.mark.parametrize("padded", [False, True])
def test_the_library_generates_the_tokens_of_our_model(pair: tuple[Any, Any], padded: bool) -> None:
    ours, theirs = pair
    given = prompts(padded=padded)
    mask = given["attention_mask"] if padded else None
    expected = ours.generate(given["input_ids"], NEW, mask, temperature=0)
    for cached in (True, False):
        made = theirs.generate(**given, max_new_tokens=NEW, do_sample=False, use_cache=cached)
        assert torch.equal(made, expected)


@pytest.mark.parametrize("padded", [False, True])
def test_beam_search_does_not_depend_on_the_cache(pair: tuple[Any, Any], padded: bool) -> None:
    made = [
        pair[1].generate(
            **prompts(padded=padded), max_new_tokens=NEW, do_sample=False, num_beams=3,
            num_return_sequences=2, use_cache=cached,
        )
        for cached in (True, False)
    ]  # fmt: skip
    assert torch.equal(*made)
    assert made[0].size(0) == 6


def test_sampling_depends_on_the_seed_alone(pair: tuple[Any, Any]) -> None:
    def sampled(seed: int, *, cached: bool) -> torch.Tensor:
        transformers.set_seed(seed)
        options = {"do_sample": True, "top_p": 0.9, "temperature": 1.5, "use_cache": cached}
        return pair[1].generate(**prompts(padded=True), max_new_tokens=NEW, **options)

    assert torch.equal(sampled(1, cached=True), sampled(1, cached=False))
    assert sampled(1, cached=True).tolist() != sampled(2, cached=True).tolist()


def test_other_ways_to_generate_agree(pair: tuple[Any, Any]) -> None:
    """Chunks of the prompt, an assistant that is right, a cache that is handed over."""
    model = pair[1]
    one = {name: value[:1] for name, value in prompts().items()}
    greedy = {"max_new_tokens": NEW, "do_sample": False}
    expected = model.generate(**one, **greedy)
    if not transformers.__version__.startswith("5.0."):  # whose own models cannot do it either
        assert torch.equal(model.generate(**one, **greedy, prefill_chunk_size=3), expected)
    assert torch.equal(model.generate(**one, **greedy, assistant_model=model), expected)
    kept = transformers.DynamicCache()
    first = model.generate(**one, max_new_tokens=4, do_sample=False, past_key_values=kept)
    rest = model.generate(first, max_new_tokens=NEW - 4, do_sample=False, past_key_values=kept)
    assert torch.equal(rest, expected)


def test_logits_and_loss_equal_those_of_our_model(pair: tuple[Any, Any]) -> None:
    ours, theirs = pair
    given = prompts(padded=True)
    labels = given["input_ids"].masked_fill(given["attention_mask"] == 0, -100)
    made, logits = theirs(**given, labels=labels), ours(**given)
    assert torch.equal(made.logits, logits)
    assert torch.equal(made.loss, ours.loss(logits, labels))
    assert torch.equal(theirs(**given, logits_to_keep=2).logits, logits[:, -2:])
    assert isinstance(theirs(**given, return_dict=False), tuple)
    assert theirs(**given).past_key_values is None
    assert theirs(**given, use_cache=True).past_key_values.get_seq_length() == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output_attentions": True}, "output_attentions is not supported: "),
        ({"inputs_embeds": torch.zeros(1, 2, 32)}, "pass either token ids or their embeddings"),
        ({"input_ids": None}, "pass either token ids or their embeddings"),
    ],
)
def test_unsupported_calls_are_reported(
    folder: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        load(folder)(**{**prompts(), **options})


def test_a_static_cache_is_refused(pair: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="a static cache is not supported"):
        pair[1].generate(**prompts(), max_new_tokens=2, cache_implementation="static")


def test_it_loads_in_half_precision(folder: Path) -> None:
    model = load(folder, dtype=torch.bfloat16)
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert model.generate(**prompts(), max_new_tokens=2, min_new_tokens=2).shape == (3, 10)


def test_a_new_model_has_our_initial_weights(folder: Path) -> None:
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=True)
    config.num_hidden_layers = 3
    torch.manual_seed(5)
    fresh = transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=True)
    ours = mw.compile(loads(DECODER, sets=["layers=3"]), seed=5)
    ours_drawn = {f"model.{name}": weight for name, weight in ours.state_dict().items()}
    assert fresh.state_dict().keys() == ours_drawn.keys()
    assert all(torch.equal(x, ours_drawn[name]) for name, x in fresh.state_dict().items())


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("recompute", [False, True])
def test_trainer_trains_and_what_it_saves_loads_again(
    folder: Path, tmp_path: Path, training: Callable[..., Any], recompute: bool
) -> None:
    model = load(folder)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    options = {"gradient_accumulation_steps": 2, "gradient_checkpointing": recompute}
    trainer = transformers.Trainer(
        model, training(max_steps=5, **options), train_dataset=texts(), eval_dataset=texts()
    )
    first = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert trainer.evaluate()["eval_loss"] < first
    assert not [name for name, x in model.named_parameters() if torch.equal(x, before[name])]
    trainer.save_model(str(tmp_path / "saved"))
    model.eval()
    again = load(tmp_path / "saved")
    given = prompts(padded=True)
    assert torch.equal(again(**given).logits, model(**given).logits)
    ours = mw.load_weights(mw.compile(loads(DECODER)), tmp_path / "saved" / "model.safetensors")
    assert torch.equal(ours.eval()(**given), model(**given).logits)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_recomputed_layers_give_the_same_gradients(folder: Path) -> None:
    found = []
    for recompute in (False, True):
        model = load(folder).train()
        if recompute:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        given = prompts()
        made = model(**given, labels=given["input_ids"], use_cache=True)
        assert (made.past_key_values is None) == recompute
        made.loss.backward()
        found.append([weight.grad for weight in model.parameters()])
        model.gradient_checkpointing_disable()
        assert not [m for m in model.modules() if "forward" in vars(m)]
    assert all(torch.equal(x, y) for x, y in zip(*found, strict=True))


def test_training_resumes_from_a_checkpoint(folder: Path, training: Callable[..., Any]) -> None:
    def trainer(**options: Any) -> Any:
        arguments = training(save_strategy="steps", save_steps=2, **options)
        return transformers.Trainer(load(folder), arguments, train_dataset=texts())

    whole = trainer(max_steps=4)
    whole.train()
    resumed = trainer(max_steps=4)
    resumed.train(resume_from_checkpoint=f"{whole.args.output_dir}/checkpoint-2")
    pairs = zip(whole.model.parameters(), resumed.model.parameters(), strict=True)
    assert all(torch.allclose(x, y) for x, y in pairs)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_lora_step(folder: Path, tmp_path: Path) -> None:
    config = peft.LoraConfig(task_type="CAUSAL_LM", target_modules=["query", "value"], r=2)
    adapted = peft.get_peft_model(load(folder), config)
    given = prompts()
    optimizer = torch.optim.SGD([x for x in adapted.parameters() if x.requires_grad], lr=1.0)
    losses = []
    for _ in range(2):
        loss = adapted(**given, labels=given["input_ids"]).loss
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[1] < losses[0]
    adapted.save_pretrained(tmp_path)
    again = peft.PeftModel.from_pretrained(load(folder), tmp_path).eval()
    expected = adapted.eval().generate(**given, max_new_tokens=NEW, do_sample=False)
    assert torch.equal(again.generate(**given, max_new_tokens=NEW, do_sample=False), expected)
    merged = again.merge_and_unload()
    assert torch.allclose(merged(**given).logits, adapted(**given).logits, atol=1e-4)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_lora_finds_every_linear_layer_but_the_head(pair: tuple[Any, Any], folder: Path) -> None:
    config = peft.LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=2)
    names = peft.get_peft_model(load(folder), config).targeted_module_names
    assert {name.rpartition(".")[2] for name in names} == {
        "query", "key", "value", "output", "gate", "up", "down",
    }  # fmt: skip


def test_the_vocabulary_grows(pair: tuple[Any, Any], tmp_path: Path) -> None:
    pair[1].save_pretrained(tmp_path / "same")
    model = load(tmp_path / "same").eval()
    model.resize_token_embeddings(VOCABULARY + 3, mean_resizing=False)
    logits = model(**prompts()).logits
    assert logits.size(-1) == model.config.vocab_size == VOCABULARY + 3
    assert torch.equal(logits[..., :VOCABULARY], pair[1](**prompts()).logits)
    model.save_pretrained(tmp_path / "larger")
    assert torch.equal(load(tmp_path / "larger")(**prompts()).logits, logits)


def test_pipeline_writes_text(folder: Path) -> None:
    words = {"<pad>": 0, "<s>": 1, "</s>": 2, **{f"w{i}": i for i in range(3, VOCABULARY)}}
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<pad>"))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain, padding_side="left", **special
    ).save_pretrained(folder)
    pipe = transformers.pipeline(
        "text-generation", model=str(folder), trust_remote_code=True, device="cpu"
    )
    options = {"max_new_tokens": 4, "do_sample": False, "return_full_text": False}
    alone = [pipe(text, **options)[0]["generated_text"] for text in ("w5 w6 w7", "w8")]
    together = pipe(["w5 w6 w7", "w8"], batch_size=2, **options)
    assert [one[0]["generated_text"] for one in together] == alone
    assert alone[0] != alone[1]


UNCACHED = PLACED.replace("placed-decoder", "whole").replace("positions: [learned, rotary]", "")


def test_a_model_that_keeps_no_cache_reads_the_whole_text_again(
    tmp_path: Path, code_cache: None
) -> None:
    text = UNCACHED.replace("attention: {heads: 4, qk_norm: head}", "attention: none")
    ours = exported(text, tmp_path / "whole")
    model = load(tmp_path / "whole")
    ids = prompts()["input_ids"]
    made = model.generate(ids, max_new_tokens=3, do_sample=False)
    for end in range(8, made.size(1)):
        running = (made[:, 8:end] != 2).all(-1)
        assert torch.equal(made[running, end], ours(made[running, :end])[:, -1].argmax(-1))
    with pytest.raises(ValueError, match="does not support `use_cache`"):
        model.generate(ids, max_new_tokens=3, use_cache=True)


LONGROPE = PLACED.replace("placed-decoder", "switching").replace(
    "[learned, rotary]",
    "{type: rotary, scaling: {type: longrope, original_max_positions: 11, "
    "short_factor: [1, 1.1, 1.2, 1.3], long_factor: [2, 3, 4, 5]}}",
)


def test_text_that_crosses_the_length_of_longrope_does_not_depend_on_the_cache(
    tmp_path: Path, code_cache: None
) -> None:
    ours = exported(LONGROPE, tmp_path / "switching")
    model = load(tmp_path / "switching").eval()
    for padded in (False, True):
        given = prompts(padded=padded)
        mask = given["attention_mask"]
        greedy: dict[str, Any] = {"max_new_tokens": NEW, "do_sample": False}
        expected = ours.generate(given["input_ids"], NEW, mask, temperature=0)
        whole = model.generate(**given, **greedy, use_cache=False)
        vectors = model.get_input_embeddings()(given["input_ids"])
        read = model.generate(inputs_embeds=vectors, attention_mask=mask, **greedy)
        for made in (whole, model.generate(**given, **greedy)):
            assert torch.equal(made, expected)
        assert torch.equal(read, expected[:, 8:])
        beams = [
            model.generate(**given, **greedy, num_beams=3, use_cache=cached)
            for cached in (True, False)
        ]
        assert torch.equal(*beams)
    with pytest.raises(ValueError, match="tokens need the long LongRoPE factors; encode all at"):
        model.generate(prompts(1)["input_ids"], **greedy, assistant_model=model)


@pytest.mark.parametrize("predicate", ["global(0:2)", "keys(0:2)", "random(4, 1)"])
def test_padded_prompts_are_refused_where_the_mask_counts_padding(
    predicate: str, tmp_path: Path, code_cache: None
) -> None:
    name = f"counting-{predicate.partition('(')[0]}"  # 5.0 keeps the code of a folder's name
    text = PLACED.replace("placed-decoder", name)
    exported(f'{text}mask: "causal & (band(2) | {predicate})"\n', tmp_path / name)
    model = load(tmp_path / name)
    assert model.generate(**prompts(), max_new_tokens=2, min_new_tokens=2).shape == (3, 10)
    with pytest.raises(ValueError, match="prompts must not be padded: the mask depends on"):
        model.generate(**prompts(padded=True), max_new_tokens=2)

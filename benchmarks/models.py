"""One model with the same weights: emitted, with joined projections, and by other code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import modelwright as mw
from modelwright.backends.huggingface import FAMILIES
from modelwright.backends.huggingface.names import Names

from . import by_hand

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
OURS, LIBRARY, BY_HAND, JOINED = "emitted", "transformers", "by hand", "emitted, joined"
GROUPED, BEFORE = "emitted, grouped", "emitted before"
State = dict[str, Tensor]


@dataclass(frozen=True)
class Rivals:
    """The models of one architecture, and a function that calls each of them."""

    models: Mapping[str, nn.Module]
    call: Mapping[str, Callable[..., Tensor]]

    def train(self, training: bool) -> None:
        for model in self.models.values():
            model.train(training)


def gpt2(packed: bool = False) -> Rivals:
    """GPT-2 with 124M weights; logits (B, T, V)."""
    from transformers import GPT2Config, GPT2LMHeadModel

    ours = mw.compile(EXAMPLES / "gpt2.yaml", seed=0)
    joined = mw.compile(EXAMPLES / "gpt2.yaml", join_projections=True)
    theirs = GPT2LMHeadModel(GPT2Config(use_cache=False, attn_implementation="sdpa"))
    hand = by_hand.Gpt2()
    weights = _joined(ours.state_dict())
    _load(joined, ours.state_dict())
    _load(theirs, _gpt2_of_transformers(weights))
    _load(hand, _renamed(weights, _GPT2_BY_HAND))
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        setattr(theirs.generation_config, name, None)
    for model in (ours, theirs, hand, joined) if packed else ():
        pack(model)
    return agreeing(
        {OURS: ours, LIBRARY: theirs, BY_HAND: hand, JOINED: joined},
        {OURS: ours, LIBRARY: lambda ids: theirs(ids).logits, BY_HAND: hand, JOINED: joined},
        torch.randint(50257, (2, 16)),
    )


def bert(packed: bool = False) -> Rivals:
    """BERT, base; pooled vectors (B, D). Called with ids, and a mask where there is padding."""
    from transformers import BertConfig, BertModel

    ours = mw.compile(EXAMPLES / "bert_base.yaml", seed=0)
    joined = mw.compile(EXAMPLES / "bert_base.yaml", join_projections=True)
    theirs = BertModel(BertConfig(attn_implementation="sdpa"))
    hand = by_hand.Bert()
    weights = ours.state_dict()
    _load(joined, weights)
    names = Names(FAMILIES["bert"], FAMILIES["bert"].heads["BertModel"], {})
    _load(theirs, {str(names.theirs(name)): weight for name, weight in weights.items()})
    _load(hand, _renamed(_joined(weights), _BERT_BY_HAND))
    mask = torch.ones(2, 16, dtype=torch.long)
    mask[1, 9:] = 0
    for model in (ours, theirs, hand, joined) if packed else ():
        pack(model)
    return agreeing(
        {OURS: ours, LIBRARY: theirs, BY_HAND: hand, JOINED: joined},
        {
            OURS: ours,
            LIBRARY: lambda ids, mask=None: theirs(ids, attention_mask=mask).pooler_output,
            BY_HAND: hand,
            JOINED: joined,
        },
        torch.randint(30522, (2, 16)),
        mask,
    )


def agreeing(
    models: Mapping[str, nn.Module], call: Mapping[str, Callable[..., Tensor]], *given: Tensor
) -> Rivals:
    """The rivals, after a check that their results are equal."""
    rivals = Rivals(models, call)
    rivals.train(False)
    with torch.no_grad():
        results = {name: run(*given) for name, run in call.items()}
    for name, result in results.items():
        difference = float((result - results[OURS]).abs().max() / results[OURS].abs().max())
        if difference > 2e-5:
            raise RuntimeError(f"{name} gives something else: {difference:.1e}")
    return rivals


def pack(model: nn.Module) -> None:
    """Move a model's weights into one block of memory, in their order.

    Decoding reads every weight for each token, and how fast depends a little on where the allocator
    put them: packed models differ by their code only.
    """
    weights = list(model.parameters())
    sizes = [-(-weight.numel() // 64) * 64 for weight in weights]  # each begins on a cache line
    block = torch.empty(sum(sizes))
    for weight, place in zip(weights, block.split(sizes), strict=True):
        place = place[: weight.numel()].view_as(weight)
        place.copy_(weight.detach())
        weight.data = place


def _joined(weights: Mapping[str, Tensor]) -> State:
    """Query, key and value of a layer as one weight, `qkv`."""
    joined: State = {}
    for name, weight in weights.items():
        if ".attention.query." in name:
            parts = [weights[name.replace(".query.", f".{p}.")] for p in ("query", "key", "value")]
            joined[name.replace(".query.", ".qkv.")] = torch.cat(parts)
        elif ".attention.key." not in name and ".attention.value." not in name:
            joined[name] = weight
    return joined


def _renamed(weights: Mapping[str, Tensor], rows: Mapping[str, str]) -> State:
    renamed = {}
    for name, weight in weights.items():
        for ours, theirs in rows.items():
            name = name.replace(ours, theirs)
        renamed[name] = weight
    return renamed


def _gpt2_of_transformers(weights: Mapping[str, Tensor]) -> State:
    """The packed weights of a `transformers` GPT-2, whose linear layers are stored transposed."""
    state = _renamed(weights, _GPT2_OF_TRANSFORMERS)
    turned = (".c_attn.weight", ".c_proj.weight", ".c_fc.weight")
    state = {name: w.T if name.endswith(turned) else w for name, w in state.items()}
    return {**state, "lm_head.weight": state["transformer.wte.weight"]}


def _load(model: nn.Module, state: State) -> None:
    with torch.no_grad():
        model.load_state_dict(state, strict=True)


# Parts of names, replaced in this order.
_GPT2_OF_TRANSFORMERS = {
    "token_embedding": "transformer.wte",
    "position_embedding": "transformer.wpe",
    "layers.": "transformer.h.",
    "attention_norm": "ln_1",
    "feed_forward_norm": "ln_2",
    "attention.qkv": "attn.c_attn",
    "attention.output": "attn.c_proj",
    "feed_forward.up": "mlp.c_fc",
    "feed_forward.down": "mlp.c_proj",
    "norm.": "transformer.ln_f.",
}
_GPT2_BY_HAND = {
    "token_embedding": "tokens",
    "position_embedding": "positions",
    "layers.": "blocks.",
    "attention_norm": "norm_1",
    "feed_forward_norm": "norm_2",
    "attention.qkv": "qkv",
    "attention.output": "out",
    "feed_forward.": "",
}
_BERT_BY_HAND = {
    "token_embedding": "tokens",
    "token_type_embedding": "types",
    "position_embedding": "positions",
    "embedding_norm": "norm",
    "layers.": "blocks.",
    "attention_norm": "norm_1",
    "feed_forward_norm": "norm_2",
    "attention.qkv": "qkv",
    "attention.output": "out",
    "feed_forward.": "",
    "head.dense": "pool",
}

"""The architectures that are measured, in other libraries.

Each case has an emitted model and one of `transformers` with the same weights; their results must
be equal before anything is timed. `x-transformers` and `torch.nn` cannot load these weights: their
models have the same sizes and random weights.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

import modelwright as mw

from . import models
from .models import LIBRARY, OURS, Rivals

X_TRANSFORMERS, TORCH = "x-transformers", "torch.nn"


@dataclass(frozen=True)
class Case:
    """An architecture: its config for `transformers`, and the inputs and outputs of its models."""

    name: str
    auto: str  # the class of `transformers` that makes the model
    config: Mapping[str, Any]
    result: str = "logits"
    reads: str = "ids"  # ids · pair
    others: Mapping[str, Callable[[], nn.Module]] = field(default_factory=dict)
    by_hand: Callable[[], Rivals] | None = None
    short: bool = False  # is called with short texts: what counts is what each call costs
    experts: bool = False  # the weights that it multiplies by depend on the text
    training: bool = True

    @property
    def repeat(self) -> int:
        """Repetitions per measurement: short tasks are repeated, to exceed clock noise."""
        return 10 if self.short else 1

    @property
    def decodes(self) -> bool:
        return "CausalLM" in self.auto

    @property
    def vocab_size(self) -> int:
        return int(self.config["vocab_size"])

    def inputs(self, batch: int, length: int) -> tuple[Tensor, ...]:
        """Token ids (B, T); two of them for encoder-decoders."""
        generator = torch.Generator().manual_seed(batch * length)
        ids = torch.randint(2, self.vocab_size, (batch, length), generator=generator)
        return (ids, ids.flip(1)) if self.reads == "pair" else (ids,)


def rivals_of(case: Case, dtype: torch.dtype, *, all_peers: bool = True) -> Rivals:
    """The models of a case, in eval mode, checked for equal results if they share weights.

    Without `all_peers`: only the emitted model and that of `transformers`.
    """
    rivals = case.by_hand() if case.by_hand is not None else same_weights(case)
    kept = [name for name in rivals.models if all_peers or name in (OURS, LIBRARY)]
    found = {name: rivals.models[name].to(dtype) for name in kept}
    call = {name: rivals.call[name] for name in kept}
    for name, make in case.others.items() if all_peers else ():
        torch.manual_seed(0)
        call[name] = found[name] = make().to(dtype)
    made = Rivals(found, call)
    made.train(False)
    return made


def same_weights(case: Case) -> Rivals:
    """The model of `transformers`, and ours, imported from the folder that it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        theirs = saved(case, folder)
        ours = mw.from_pretrained(folder)
    call = {OURS: ours, LIBRARY: called_by_library(theirs, case)}
    return models.agreeing({OURS: ours, LIBRARY: theirs}, call, *case.inputs(2, 16))


def saved(case: Case, folder: str) -> nn.Module:
    """Write a model of `transformers` with random weights to a folder."""
    import transformers

    config = dict(case.config)
    torch.manual_seed(0)
    made = transformers.AutoConfig.for_model(config.pop("model_type"), **config)
    theirs = getattr(transformers, case.auto).from_config(made, attn_implementation="sdpa")
    theirs.save_pretrained(folder)
    model: nn.Module = theirs
    return model


def called_by_library(model: nn.Module, case: Case) -> Callable[..., Tensor]:
    def call(*given: Tensor, mask: Tensor | None = None) -> Tensor:
        more = {} if mask is None else {"attention_mask": mask}
        if case.reads == "pair":
            more["decoder_input_ids"] = given[1]
        if case.decodes:
            more["use_cache"] = False
        result: Tensor = getattr(model(given[0], **more), case.result)
        return result

    return call


# -- other libraries


class TorchEncoder(nn.Module):
    """`torch.nn.TransformerEncoder` with a token embedding and, for a decoder, logits."""

    def __init__(self, vocab: int, width: int, heads: int, layers: int, *, causal: bool) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocab, width), nn.Embedding(1024, width)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, 0.1, "gelu", batch_first=True, norm_first=causal
        )
        norm = nn.LayerNorm(width) if causal else None
        self.layers = nn.TransformerEncoder(layer, layers, norm, enable_nested_tensor=False)
        self.causal = causal

    def forward(self, ids: Tensor) -> Tensor:
        length = ids.size(1)
        x = self.tokens(ids) + self.places.weight[:length]
        mask = None
        if self.causal:
            mask = nn.Transformer.generate_square_subsequent_mask(length, dtype=x.dtype)
        x = self.layers(x, mask, is_causal=self.causal)
        return x @ self.tokens.weight.T if self.causal else x[:, 0]


class TorchPair(nn.Module):
    """`torch.nn.Transformer` with a token embedding and logits."""

    def __init__(self, vocab: int, width: int, heads: int, layers: int, hidden: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab, width)
        self.inner = nn.Transformer(
            width, heads, layers, layers, hidden, 0.1, batch_first=True, norm_first=True
        )

    def forward(self, ids: Tensor, decoder_ids: Tensor) -> Tensor:
        x, y = self.tokens(ids), self.tokens(decoder_ids)
        mask = nn.Transformer.generate_square_subsequent_mask(y.size(1), dtype=y.dtype)
        return self.inner(x, y, tgt_mask=mask, tgt_is_causal=True) @ self.tokens.weight.T


def x_decoder(vocab: int, width: int, heads: int, layers: int, **options: Any) -> nn.Module:
    from x_transformers import Decoder, TransformerWrapper

    inner = Decoder(
        dim=width,
        depth=layers,
        heads=heads,
        attn_dim_head=width // heads,
        attn_flash=True,
        **options,
    )
    model: nn.Module = TransformerWrapper(
        num_tokens=vocab, max_seq_len=1024, attn_layers=inner, tie_embedding=True
    )
    return model


class XEncoder(nn.Module):
    """An encoder of `x-transformers` that returns the vector of the first token."""

    def __init__(self, vocab: int, width: int, heads: int, layers: int) -> None:
        super().__init__()
        from x_transformers import Encoder, TransformerWrapper

        inner = Encoder(
            dim=width, depth=layers, heads=heads, attn_dim_head=width // heads, attn_flash=True
        )
        self.inner = TransformerWrapper(num_tokens=vocab, max_seq_len=512, attn_layers=inner)

    def forward(self, ids: Tensor) -> Tensor:
        hidden: Tensor = self.inner(ids, return_embeddings=True)
        return hidden[:, 0]


LLAMA = {
    "model_type": "llama",
    "vocab_size": 32000,
    "hidden_size": 768,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
}
TINY = {"vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4}
CASES = {
    "gpt2": Case(
        "GPT-2 124M",
        "AutoModelForCausalLM",
        {"model_type": "gpt2", "vocab_size": 50257},
        by_hand=models.gpt2,
        others={
            X_TRANSFORMERS: lambda: x_decoder(50257, 768, 12, 12),
            TORCH: lambda: TorchEncoder(50257, 768, 12, 12, causal=True),
        },
    ),
    "llama": Case(
        "Llama-like 150M",
        "AutoModelForCausalLM",
        {**LLAMA, "tie_word_embeddings": False},
        others={
            X_TRANSFORMERS: lambda: x_decoder(
                32000,
                768,
                12,
                12,
                rotary_pos_emb=True,
                ff_swish=True,
                ff_glu=True,
                use_rmsnorm=True,
                attn_kv_heads=4,
            )
        },
    ),
    "bert": Case(
        "BERT-base",
        "AutoModel",
        {"model_type": "bert", "vocab_size": 30522},
        result="pooler_output",
        by_hand=models.bert,
        others={
            X_TRANSFORMERS: lambda: XEncoder(30522, 768, 12, 12),
            TORCH: lambda: TorchEncoder(30522, 768, 12, 12, causal=False),
        },
    ),
    "minilm": Case(
        "MiniLM-L6",
        "AutoModel",
        {
            "model_type": "bert",
            "vocab_size": 30522,
            "hidden_size": 384,
            "num_hidden_layers": 6,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
        },
        result="pooler_output",
        others={
            X_TRANSFORMERS: lambda: XEncoder(30522, 384, 12, 6),
            TORCH: lambda: TorchEncoder(30522, 384, 12, 6, causal=False),
        },
        short=True,
        training=False,
    ),
    "t5": Case(
        "T5-small",
        "AutoModelForSeq2SeqLM",
        {"model_type": "t5", "vocab_size": 32128},
        reads="pair",
        others={TORCH: lambda: TorchPair(32128, 512, 8, 6, 2048)},
    ),
    "moe": Case(
        "Mixtral-like, 8 experts",
        "AutoModelForCausalLM",
        {
            **LLAMA,
            "model_type": "mixtral",
            "hidden_size": 512,
            "intermediate_size": 1024,
            "num_hidden_layers": 6,
            "num_attention_heads": 8,
            "num_local_experts": 8,
        },
        experts=True,
    ),
    "tiny-gpt2": Case(
        "tiny GPT-2",
        "AutoModelForCausalLM",
        {"model_type": "gpt2", "vocab_size": 1000, "n_embd": 64, "n_layer": 4, "n_head": 4},
        others={X_TRANSFORMERS: lambda: x_decoder(1000, 64, 4, 4)},
        short=True,
        training=False,
    ),
    "tiny-llama": Case(
        "tiny Llama",
        "AutoModelForCausalLM",
        {"model_type": "llama", **TINY, "intermediate_size": 172, "num_key_value_heads": 2},
        short=True,
        training=False,
    ),
}

"""Whole models with sparse masks on 8,192 tokens, against the models of `transformers`.

    python -m benchmarks.long                       # about ten minutes on a quiet machine
    python -m benchmarks.long --only bigbird_base --clock cpu
    python -m benchmarks.long --write               # also write the table of docs/benchmarks.md

Each is an example with smaller sizes: width 256, four heads of 64, feed-forward 1024, few layers.
The emitted file, the same built with `--kernel dense`, and the class of `transformers` with the
same sizes and random weights, if there is one, alternate in one process, on one thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import click
import torch
from torch import Tensor, nn

import modelwright as mw

from .__main__ import CLOCKS
from .measure import Candidate, Timed, alternate
from .models import EXAMPLES, LIBRARY, OURS
from .pages import conditions, rows, text_table, write_rows

DENSE = "emitted, dense"
KEY = "long"
"""Of the place in docs/benchmarks.md."""
WIDTH, VOCABULARY, FEED_FORWARD = 256, 1024, 1024
SIZES = {
    "d_model": WIDTH,
    "vocab_size": VOCABULARY,
    "attention.heads": 4,
    "feed_forward.d_ff": FEED_FORWARD,
}
SHARED = {
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_attention_heads": 4,
    "intermediate_size": FEED_FORWARD,
}
TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


@dataclass(frozen=True)
class Case:
    """An example, what is changed in it, and the class and config of `transformers`."""

    sets: Mapping[str, Any]
    kind: str = ""  # empty: the library has none
    config: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)  # arguments of the library's model

    def ours(self, name: str, length: int, **options: Any) -> nn.Module:
        sizes = {**SIZES, "max_positions": length, **self.sets}
        spec = mw.load(EXAMPLES / f"{name}.yaml", [f"{k}={v}" for k, v in sizes.items()])
        model: nn.Module = mw.compile(spec, seed=0, **options)
        return model

    def theirs(self, length: int) -> nn.Module:
        import transformers

        config: dict[str, Any] = {**SHARED, **TOKENS, **self.config}
        config["max_position_embeddings"] = length + (2 if "longformer" in config.values() else 0)
        torch.manual_seed(0)
        made = transformers.AutoConfig.for_model(config.pop("model_type"), **config)
        model: nn.Module = getattr(transformers, self.kind)(made)
        return model


GROUPED = {"attention.kv_heads": 2}
CASES = {
    "longformer_base": Case(
        {"layers": 2},
        "LongformerForMaskedLM",
        {"model_type": "longformer", "num_hidden_layers": 2, "attention_window": 512},
    ),
    "bigbird_base": Case(
        {"layers": 2, "head.size": WIDTH},
        "BigBirdModel",
        {"model_type": "big_bird", "num_hidden_layers": 2, "attention_type": "block_sparse"},
    ),
    "modernbert_base": Case(
        {"layers": 3, "tokens.pad": 0},
        "ModernBertForMaskedLM",
        {"model_type": "modernbert", "num_hidden_layers": 3, "cls_token_id": 1, "sep_token_id": 2},
    ),
    "mistral_7b": Case(
        {"layers": 2, "mask": '"causal & window(1024)"', **GROUPED},
        "MistralForCausalLM",
        {
            "model_type": "mistral",
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
            "sliding_window": 1024,
        },
    ),
    "gemma3_1b": Case(
        {"layers": 6, "attention.head_dim": 64, **GROUPED},
        "Gemma3ForCausalLM",
        {
            "model_type": "gemma3_text",
            "num_hidden_layers": 6,
            "num_key_value_heads": 2,
            "head_dim": 64,
            "sliding_window": 512,
        },
    ),
    "sparse_transformer": Case({"layers": 2, "attention.heads": 4}),
}
"""Name of the example -> how it is measured."""


def tasks(name: str, length: int) -> dict[str, dict[str, Candidate]]:
    """The forward pass, and that with its gradients: a function per candidate."""
    case = CASES[name]
    ids = torch.randint(3, VOCABULARY, (1, length), generator=torch.Generator().manual_seed(0))
    models = {
        OURS: case.ours(name, length),
        DENSE: case.ours(name, length, kernel="dense"),
        **({LIBRARY: case.theirs(length)} if case.kind else {}),
    }
    sizes = {
        key: sum(weight.numel() for weight in model.parameters()) for key, model in models.items()
    }
    if max(sizes.values()) > 1.02 * min(sizes.values()):
        raise RuntimeError(f"{name}: the models have different sizes: {sizes}")
    for model in models.values():  # no dropout: it is not the same in all of them
        model.eval()
    calls = {key: _call(model, ids, library=key == LIBRARY) for key, model in models.items()}
    return {
        f"{name} forward": {key: torch.no_grad()(call) for key, call in calls.items()},
        f"{name} forward and backward": {
            key: _with_gradients(call, models[key]) for key, call in calls.items()
        },
    }


def _call(model: nn.Module, ids: Tensor, *, library: bool) -> Callable[[], Tensor]:
    def theirs() -> Tensor:
        more = {"use_cache": False} if "CausalLM" in type(model).__name__ else {}
        found: Tensor = model(ids, **more)[0]
        return found

    return theirs if library else lambda: model(ids)


def _with_gradients(call: Callable[[], Tensor], model: nn.Module) -> Candidate:
    weights = [weight for weight in model.parameters() if weight.requires_grad]

    def run() -> object:
        return torch.autograd.grad(call().square().mean(), weights, allow_unused=True)

    return run


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(CASES)), help="[default: all]")
@click.option("--length", default=8192, show_default=True, type=click.IntRange(min=1024))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=2))
@click.option("--clock", type=click.Choice(list(CLOCKS)), default="wall", show_default=True)
@click.option("--write", is_flag=True, help="Also write the table of docs/benchmarks.md.")
def main(only: tuple[str, ...], length: int, rounds: int, clock: str, write: bool) -> None:
    """Time whole models with sparse masks against `transformers`."""
    torch.set_num_threads(1)
    found: list[Timed] = []
    for name in only or CASES:
        for task, candidates in tasks(name, length).items():
            click.echo(task, err=True)
            timed = alternate(task, candidates, rounds=rounds, clock=CLOCKS[clock])
            found.append(timed)
    click.echo(text_table(found))
    if write:
        facts = {**conditions(), "rounds": rounds, "threads": 1, "clock": clock, "tokens": length}
        write_rows(KEY, facts, rows(found))


if __name__ == "__main__":
    main()

"""EXAONE 3 and 3.5 (LG AI Research, 2024, arXiv:2408.03541): Llama with GPT-2's tensor names."""

from __future__ import annotations

from ..defaults import keys
from ..family import Head, Names
from ._llama_like import BIAS_KEYS, BIASED_SPEC, llama_like
from ._rows import ALL_TASKS, causal_heads

_MODULES = {
    **{f"attention.{part}": f"attn.attention.{part[0]}_proj" for part in ("query", "key", "value")},
    "attention.output": "attn.attention.out_proj",
    "feed_forward.gate": "mlp.c_fc_0",
    "feed_forward.up": "mlp.c_fc_1",
    "feed_forward.down": "mlp.c_proj",
    "attention_norm": "ln_1",
    "feed_forward_norm": "ln_2",
}


def _names(layers: str, table: str, norm: str) -> Names:
    modules = {f"layers.{{}}.{ours}": f"{layers}.{{}}.{part}" for ours, part in _MODULES.items()}
    return {"token_embedding": table, "norm": norm, **modules}


EXAONE = llama_like(
    "exaone",
    "Exaone",
    reads=keys(BIAS_KEYS, "num_key_value_heads pad_token_id"),
    fixed={"embed_dropout": 0.0},  # in published files
    spec=BIASED_SPEC,
    names=_names("h", "wte", "ln_f"),
    prefix="transformer.",
    unused=(r"h\.\d+\.attn\.(attention\.)?(rotary\.inv_freq|bias|masked_bias)",),
    heads={
        **causal_heads("Llama", table="wte", tasks=ALL_TASKS),
        "LlamaModel": Head(names=_names("layers", "embed_tokens", "norm")),
    },
)

FAMILIES = (EXAONE,)

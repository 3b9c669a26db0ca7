"""EXAONE 3 and 3.5 (LG AI Research, 2024, arXiv:2408.03541): Llama with GPT-2's tensor names."""

from __future__ import annotations

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

_HEADS = causal_heads("Llama", table="wte", tasks=ALL_TASKS)  # the bare model has other names

EXAONE = llama_like(
    "exaone",
    "Exaone",
    reads=BIAS_KEYS,
    fixed={"embed_dropout": 0.0},  # in published files
    spec=BIASED_SPEC,
    names={
        "token_embedding": "wte",
        "norm": "ln_f",
        **{f"layers.{{}}.{ours}": f"h.{{}}.{theirs}" for ours, theirs in _MODULES.items()},
    },
    prefix="transformer.",
    unused=(r"h\.\d+\.attn\.(attention\.)?(rotary\.inv_freq|bias|masked_bias)",),
    heads={name: head for name, head in _HEADS.items() if name != "LlamaModel"},
)

FAMILIES = (EXAONE,)

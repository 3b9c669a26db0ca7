"""Switch Transformers (Fedus et al., 2021, arXiv:2101.03961): T5 with an expert for each token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ....spec.feed_forward import Mlp, Moe
from ..defaults import keys
from ..family import Family, Head, Names
from ..layers import Layer, folded
from ..layouts import Layout
from ..values import Key, OtherFamilyError, Values, activation, filled
from ._moe import TRAINED
from .t5 import COPIES, KEYS, TOKENS, decoder_layers, encoder_alone, spec_of, stack_rows


def _step(values: Values, stack: str) -> int:
    """Distance between sparse layers of a stack."""
    count = values["num_layers"] if stack == "encoder" else decoder_layers(values)
    sparse: int = values[f"num_sparse_{stack}_layers"]
    return int(count // sparse if sparse > 0 else count)


def _sparse(values: Values, stack: str, layer: int) -> bool:
    step = _step(values, stack)
    return step > 0 and (step == 1 or layer % step == 1)


def _input_scale(values: Values) -> str | None:
    return "1/sqrt_d_model" if values["tied_as_written"] else None


_DENSE: dict[str, Any] = {
    "type": "mlp",
    "d_ff": Key("d_ff"),
    "activation": activation("dense_act_fn"),
    "hidden_dropout": Key("dropout_rate"),
}

_SPARSE: dict[str, Any] = {
    "type": "moe",
    "experts": Key("num_experts"),
    "top_k": 1,
    "expert": _DENSE,
    "router": {"normalize": False, "bias": Key("router_bias")},
    "capacity": Key("expert_capacity"),
}


def _layers(values: Values, stack: str) -> list[Layer]:
    """The block of each layer of a stack."""
    count = values["num_layers"] if stack == "encoder" else decoder_layers(values)
    blocks: dict[str, Layer] = {
        kind: (kind, {"feed_forward": filled(part, values)})
        for kind, part in (("sparse", _SPARSE), ("dense", _DENSE))
    }
    return [
        blocks["sparse" if _sparse(values, stack, layer) else "dense"] for layer in range(count)
    ]


def _stack(values: Values, stack: str) -> dict[str, Any]:
    layers = _layers(values, stack)
    return {"layers": len(layers), **folded(layers)}


def _back(spec: Any) -> dict[str, Any]:
    """Config keys from a spec: sparse layers of both stacks, and the experts."""
    config: dict[str, Any] = {}
    for name, depth in (("encoder", "num_layers"), ("decoder", "num_decoder_layers")):
        stack = spec.stacks[name]
        blocks = [stack.blocks[kind].feed_forward for kind in stack.order]
        sparse = [part for part in blocks if isinstance(part, Moe)]
        config |= {depth: stack.layers, f"num_sparse_{name}_layers": len(sparse)}
        for part in sparse:
            config |= {
                "num_experts": part.experts,
                "expert_capacity": part.capacity,
                "router_bias": part.router.bias,
            }
        dense = [getattr(part, "expert", part) for part in blocks]
        if any(not isinstance(part, Mlp) for part in dense):
            raise OtherFamilyError("a layer has a feed-forward of another type")
        for part in dense[:1]:
            config |= {"d_ff": part.d_ff, "dense_act_fn": part.activation.type}
    return config


def _spec() -> dict[str, Any]:
    spec = {
        key: value
        for key, value in spec_of("stack").items()
        if key not in ("feed_forward", "residual")
    }
    decoder = {key: value for key, value in spec["decoder"].items() if key != "layers"}
    return {
        **spec,
        "encoder": lambda values: _stack(values, "encoder"),
        "decoder": lambda values: {**filled(decoder, values), **_stack(values, "decoder")},
    }


def _names(values: Values) -> Names:
    rows: dict[Any, Any] = {"token_embedding": "shared"}
    for stack, last in (("encoder", 1), ("decoder", 2)):
        ours, theirs = f"{stack}.layers.{{}}.feed_forward", f"{stack}.block.{{}}.layer.{last}.mlp"
        rows |= stack_rows(stack, last)
        rows[f"{ours}.router"] = f"{theirs}.router.classifier"
        for part, name in (("up", "wi"), ("down", "wo")):
            rows[f"{ours}.{part}"] = f"{theirs}.{name}"
            rows[f"{ours}.experts.{part}"] = Layout(f"{theirs}.experts.expert_{{e}}.{name}.weight")
    return rows


SWITCH_TRANSFORMERS = Family(
    model_type="switch_transformers",
    reads=keys(
        KEYS,
        "num_decoder_layers num_experts num_sparse_encoder_layers num_sparse_decoder_layers",
        "expert_capacity router_bias dense_act_fn",
        without=["feed_forward_proj", "classifier_dropout"],
    ),
    optional={
        "num_decoder_layers": int,
        "pad_token_id": int,
        "bos_token_id": int,
        "eos_token_id": object,
        "decoder_start_token_id": int,
    },
    fixed={"router_dtype": "float32"},
    irrelevant=TRAINED
    | {
        "add_cross_attention",
        "add_router_probs",
        "decoder_sparse_step",
        "encoder_sparse_step",
        "feed_forward_proj",
        "initializer_factor",
        "is_decoder",
        "is_gated_act",
        "n_positions",
        "router_ignore_padding_tokens",
        "router_type",
    },
    spec=_spec(),
    last=TOKENS,
    back=_back,
    names=_names,
    unused=(r"decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight",),
    heads={
        "SwitchTransformersForConditionalGeneration": Head(
            spec={
                "head": {
                    "type": "language_model",
                    "tied": Key("tie_word_embeddings"),
                    "input_scale": _input_scale,
                }
            },
            names={"head": "lm_head"},
            untied={"lm_head.weight": "shared.weight"},
            always_tied=True,
            copies=COPIES,
        ),
        "SwitchTransformersModel": Head(always_tied=True, copies=COPIES),
    },
)

_ENCODER = replace(
    SWITCH_TRANSFORMERS,
    spec={**SWITCH_TRANSFORMERS.spec, "encoder": {"layers": Key("num_layers")}},
    layers=lambda values: _layers(values, "encoder"),
    back=None,
)
SWITCH_TRANSFORMERS = replace(
    SWITCH_TRANSFORMERS, other=encoder_alone(_ENCODER, "SwitchTransformers", False)
)

FAMILIES = (SWITCH_TRANSFORMERS,)

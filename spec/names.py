"""Names in specs, and the identifiers they become in code.

Only names that pass these checks reach emitted code, so a spec cannot inject code.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from .masks import ATOMS

MAX_LENGTH = 64
PLAIN_NAME = re.compile(r"^[A-Za-z]\w*\Z", re.ASCII)
BLOCK_NAME = re.compile(
    r"^[A-Za-z][A-Za-z0-9_]*\Z"
)  # only class names appear in code, so `global` is allowed
MODEL_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_.\-]*\Z")

# Names that emitted files import, define or call; a class, stack or argument must not hide them.
CODE_NAMES = frozenset(
    [
        "Attention",
        "AttentionPool",
        "Block",
        "Cache",
        "Config",
        "Cross",
        "CrossAttention",
        "Decoder",
        "Dropout",
        "Embedding",
        "Encoder",
        "F",
        "False",
        "FeedForward",
        "Head",
        "Heads",
        "Inputs",
        "Layer",
        "LayerNorm",
        "Linear",
        "Module",
        "ModuleList",
        "NamedTuple",
        "None",
        "Parameter",
        "Projections",
        "RMSNorm",
        "RmsNorm",
        "Shared",
        "Stack",
        "StaticCache",
        "Sequence",
        "Tensor",
        "Tokens",
        "True",
        "Unions",
        "annotations",
        "dataclass",
        "fields",
        "math",
        "nn",
        "torch",
    ]
)
# Attributes of torch.nn.Module and methods of emitted models; submodules must not hide them.
MODULE_NAMES = frozenset(
    [
        "T_destination",
        "add_module",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "compile",
        "cpu",
        "cuda",
        "double",
        "dump_patches",
        "eval",
        "extra_repr",
        "float",
        "forward",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "half",
        "ipu",
        "load_state_dict",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook",
        "register_module",
        "register_parameter",
        "register_state_dict_post_hook",
        "register_state_dict_pre_hook",
        "requires_grad_",
        "set_extra_state",
        "set_submodule",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "train",
        "training",
        "type",
        "xpu",
        "zero_grad",
        "cache",
        "config",
        "generate",
        "hidden_states",
        "init_weights",
        "loss",
        "new_cache",
        "condition",
        "dropout",
        "embedding_norm",
        "embedding_projection",
        "layers",
        "logits",
        "norm",
        "norm_modulation",
        "output_projection",
        "position_embedding",
        "relative_bias",
        "relative_embedding",
        "relative_norm",
        "token_embedding",
    ]
)
# Arguments that every model has, and local variables.
ARGUMENT_NAMES = frozenset(
    [
        "F",
        "Tensor",
        "attention_mask",
        "batch",
        "block",
        "cache",
        "checkpoint",
        "cls",
        "condition",
        "config",
        "document_ids",
        "encoder_attention_mask",
        "end",
        "frequencies",
        "global_mask",
        "labels",
        "layer",
        "length",
        "logits",
        "mask",
        "math",
        "memory",
        "module",
        "nn",
        "places",
        "position_ids",
        "size",
        "prefix_length",
        "range",
        "relative",
        "sample",
        "self",
        "shape",
        "shared",
        "start",
        "step",
        "torch",
        "x",
    ]
)

# Classes of the runtime that emitted files may define; a model's class must not hide them.
HELPER_CLASSES = frozenset(
    """
    AnyOffsetRMSNorm BiasedOffsetLayerNorm BiasedOffsetPerHeadLayerNorm BiasedPerHeadLayerNorm
    BiasedRouter Checkpoint JoinedLinear KeysOfTile NarrowingRMSNorm OffsetLayerNorm
    OffsetPerHeadLayerNorm OffsetPerHeadRMSNorm OffsetRMSNorm PerHeadLayerNorm PerHeadRMSNorm Router
    Stored Tile WideningLinear XIELU
    """.split()  # noqa: SIM905 - a list of words would be as many lines
)

# Functions that emitted files may define; arguments must not hide them.
HELPER_NAMES = frozenset(
    """
    added_mask added_scores additive_attention alibi_bias alibi_bias_ceil alibi_score
    apply_partial_rope apply_partial_rope_interleaved apply_rope apply_rope_interleaved as_bias
    at_most_half attention_by_head attention_pool attention_with_sinks balance_loss best_groups
    biased_additive_attention biased_distance_attention biased_explicit_attention
    biased_grouped_attention biased_score block_mask block_ranges bucket_bias by_group by_length
    capped_attention_with_sinks capped_score capped_scores causal_bucket_bias
    causal_gathered_attention causal_linear_attention causal_strided_attention
    causal_tiled_attention centred_grid_angles check_frames check_lengths check_shapes
    check_unplaced check_vectors clipped_places compiled_fading_attention compiled_flex_attention
    compiled_linear_attention content_to_position copied_keys cosines_and_sines difference_share
    distance_attention distance_scores document_ranges drawn_blocks drawn_table drop_labels
    drop_path dynamic_frequencies elu_features expert_linear explicit_attention
    fading_linear_attention first_token_index fused_attention fused_attention_with_sinks
    gathered_attention given_ranges global_places global_queries grid_angles grid_offsets
    grid_offsets_behind grid_places grid_turns grouped_expert_linear growing_sharpness gru_step
    gru_step_reset_after in_chunks in_one_block interleave_inputs intersect_ranges join_inputs
    joined_names kept_as_ranges keys_of lambda_init last_of_blocks last_token lightning_rates
    linear_attention llama3_frequencies load_checkpoint log_buckets lstm_step mask_of_tile
    masked_softmax masks_of_heads max_pool mean_of_tokens mean_pool merge_ranges mixed_heads
    modulate one_tile open_tensors opened_ranges outer_product_mean padding_mask path_bias
    place_rows pool_heads position_to_content positions_of_tokens positions_past_padding
    put_together queries_between query_runs quick_gelu random_blocks random_ranges recomputed recur
    relative_log_places relative_places rope_angles rope_frequencies row_origins same_score sample
    scaled_rope_angles scaled_scores scores_of_places sinusoid_pairs sinusoids sliding_tiles softcap
    softmax_with_sinks sparse_mixer stored_tensor strided_attention strided_keys strided_ranges
    strided_runs sum_of_places swish take_apart tiled_attention tiles_of_blocks tiles_of_rows
    tiles_with_bias token_pool unfit_rest unfit_rows unless_padding video_angles video_offsets
    video_offsets_behind video_places weighted_sum weighted_values with_sinks within_capacity
    without_padding yarn_frequencies yarn_frequencies_between_pairs z_loss zero_padding
    """.split()  # noqa: SIM905 - a list of words would be as many lines
)


PLUGIN_HELPERS: set[str] = set()
"""The same of plug-ins."""


OF_TOKENS = ("attention_mask", "position_ids", "document_ids", "prefix_length", "global_mask")
"""Arguments that models have without being asked: `attention_mask`, `text_attention_mask`."""
GLOBAL_NAMES = frozenset(["F", "math", "nn", "self", "torch"])
"""Names that any method may read."""


def hides_code(name: str) -> bool:
    """Whether an argument with this name would hide a name in emitted files."""
    words = name.removesuffix("_mask").split("_") if name.endswith("_mask") else []
    return (
        name in ARGUMENT_NAMES | HELPER_NAMES | PLUGIN_HELPERS
        or name.endswith(tuple(f"_{word}" for word in OF_TOKENS))
        or (bool(words) and set(words) <= set(ATOMS))
    )


def hides_function(name: str) -> bool:
    """Whether a variable with the name of a stack would hide a function that methods call."""
    return name in GLOBAL_NAMES | HELPER_NAMES | PLUGIN_HELPERS


def results_of(stacks: Iterable[str]) -> dict[str, str]:
    """Variables in methods of a model of several stacks, with the stack whose output each is."""
    return {f"{stack}_{word}": stack for stack in stacks for word in ("states", "memory")}


def camel_case(name: str) -> str:
    """The class name of a name: `feed_forward` -> `FeedForward`, `llama-3.1-8b` -> `Llama3_1_8b`.

    Adjacent digits are separated by an underscore.
    """
    text = ""
    for part in filter(None, re.split(r"[-_.]+", name)):
        glue = "_" if text and text[-1].isdigit() and part[0].isdigit() else ""
        text += glue + part[0].upper() + part[1:]
    return text


def name_problem(value: object, pattern: re.Pattern[str]) -> str | None:
    """What a name must be, if `value` is invalid; else None."""
    if not isinstance(value, str) or not pattern.match(value):
        signs = "digits, `_`, `-` and `.`" if pattern is MODEL_NAME else "digits and `_`"
        return f"a name of letters, {signs} that starts with a letter"
    if len(value) > MAX_LENGTH:
        return f"a name of at most {MAX_LENGTH} characters"
    if value == "none":
        return "another name; `none` turns a component off"
    if pattern is PLAIN_NAME and keyword.iskeyword(value):
        return "a name that is not a Python keyword"
    if pattern is not PLAIN_NAME:
        name = camel_case(value)
        if not name.isidentifier() or keyword.iskeyword(name):
            return f"a name whose class name, {name}, is not a Python keyword"
        if pattern is MODEL_NAME and name in CODE_NAMES | HELPER_CLASSES:
            return f"another name; the generated code already has a class {name}"
    return None

"""One row per kind of op: the function that computes it.

`argument` and `layer_input` have no row; they are the inputs of the model and of layers.
"""

from __future__ import annotations

from collections.abc import Callable

from . import (
    arithmetic,
    attention,
    experts,
    images,
    linear,
    masks,
    pooling,
    positions,
    recurrence,
    rotary,
    signals,
)
from .call import Array, Call

Result = Array | tuple[Array, ...]

COMPUTE: dict[str, Callable[[Call], Result]] = {
    # positions and masks
    "position_ids": positions.position_ids,
    "mask": masks.mask,
    "head_masks": masks.head_masks,
    "global_rows": masks.global_rows,
    "sinusoid": positions.sinusoid,
    "grid_sinusoid": positions.grid_sinusoid,
    "rope_table": rotary.rope_table,
    "grid_rope_table": rotary.grid_rope_table,
    "rotate": rotary.rotate,
    "sharpness": positions.sharpness,
    "sharpen": positions.sharpen,
    "alibi": positions.alibi,
    "grid_offsets": images.grid_offsets,
    "relative_buckets": positions.relative_buckets,
    "relative_bias": positions.relative_bias,
    "relative_positions": positions.relative_positions,
    "relative_places": positions.relative_places,
    "position_scores": positions.position_scores,
    "masked_bias": attention.masked_bias,
    # tables, linear layers, norms
    "embedding": arithmetic.embedding,
    "patchify": images.patchify,
    "convolve": signals.convolve,
    "zero_padding": signals.zero_padding,
    "group_norm": signals.group_norm,
    "glu": signals.glu,
    "swap_axes": signals.swap_axes,
    "add_axis": signals.add_axis,
    "skip_tokens": images.skip_tokens,
    "place_rows": images.place_rows,
    "insert_tokens": images.insert_tokens,
    "learned_tokens": images.learned_tokens,
    "linear": arithmetic.linear,
    "linear_again": arithmetic.linear,
    "table": arithmetic.table,
    "layer_norm": arithmetic.layer_norm,
    "rms_norm": arithmetic.rms_norm,
    # elementwise
    "activation": arithmetic.activation,
    "add": arithmetic.add,
    "multiply": arithmetic.multiply,
    "scale": arithmetic.scale,
    "by_layer": arithmetic.by_layer,
    "clamp": arithmetic.clamp,
    "shift": arithmetic.shift,
    "softcap": arithmetic.softcap,
    "learned_scale": arithmetic.learned_scale,
    "add_bias": arithmetic.add_bias,
    "head_bias": arithmetic.head_bias,
    "dropout": arithmetic.unchanged,
    "drop_path": arithmetic.unchanged,
    "drop_labels": arithmetic.drop_labels,
    "chunk": arithmetic.chunk,
    "modulate": arithmetic.modulate,
    "l2_normalize": arithmetic.l2_normalize,
    # attention
    "split_heads": attention.split_heads,
    "merge_heads": attention.merge_heads,
    "expand_heads": attention.expand_heads,
    "concat": arithmetic.concat,
    "cache": attention.cache,
    "sinks": attention.sinks,
    "select": attention.select,
    "score_vector": attention.score_vector,
    "attend": attention.attend,
    # sums instead of pairwise scores
    "pool_heads": linear.pool_heads,
    "without_padding": linear.without_padding,
    "append_ones": linear.append_ones,
    "by_last": linear.by_last,
    "decay_rates": linear.decay_rates,
    "attend_linearly": linear.attend_linearly,
    # recurrences
    "recur": recurrence.recur,
    "last_state": recurrence.last_state,
    "maxout": recurrence.maxout,
    # experts
    "softmax": experts.softmax,
    "best_groups": experts.best_groups,
    "top_k": experts.top_k,
    "gather": experts.gather,
    "sum_to_one": experts.sum_to_one,
    "sparse_mixer": experts.sparse_mixer,
    "within_capacity": experts.within_capacity,
    "assign": experts.assign,
    "rows": experts.rows,
    "expert_linear": experts.expert_linear,
    "expert_bias": experts.expert_bias,
    "weigh_rows": experts.weigh_rows,
    "sum_pairs": experts.sum_pairs,
    "combine": experts.combine,
    # results
    "similarity": arithmetic.similarity,
    "stack": arithmetic.stack,
    "exp_scale": arithmetic.exp_scale,
    "unpatchify": images.unpatchify,
    "join_tokens": pooling.join_tokens,
    "pool": pooling.pool,
}

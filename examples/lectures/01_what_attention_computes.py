# %% [markdown]
# # What attention computes
#
# Each token asks a question, its *query*. Each token offers a *key*, to be found by, and a *value*, to be read. The weights
# of a query are a softmax over its scores with all keys, and its output is the weighted mean of the values:
#
# > softmax(q Kᵀ / √d) V
#
# (Vaswani et al. 2017, [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.) This lecture looks at these
# numbers in a compiled model.

# %%
import torch
from figures import figure

import modelwright as mw

SPEC = """
name: small
family: encoder-only
vocab_size: 50
max_positions: 32
d_model: 64
layers: 1
positions: none
attention: {heads: 4}
"""
model = mw.compile(mw.loads(SPEC), dtype="float64", seed=0).eval()
ids = torch.tensor([[11, 42, 7, 42, 30, 5]])

# %% [markdown]
# `attention_maps` returns the weights of every layer. A row belongs to a query, a column to a key. The weights of a row are
# positive and sum to 1.

# %%
weights = mw.attention_maps(model, input_ids=ids)["layers.0.attention"]
print(f"weights (B, H, T, S): {tuple(weights.shape)}")
print(f"smallest weight: {weights.min():.3f}")
print(f"largest distance of a row's sum from 1: {(weights.sum(-1) - 1).abs().max():.0e}")
assert weights.min() > 0
assert (weights.sum(-1) - 1).abs().max() < 1e-12

# %%
words = [str(token) for token in ids[0].tolist()]
figure(
    "weights",
    mw.draw_attention(mw.attention_maps(model, input_ids=ids), words, heads=[0, 1]),
    "Two heads of an untrained model: all weights are close to one sixth",
)

# %% [markdown]
# The model has random weights, so all tokens look alike to it and each gets about 1/6. Training makes a head prefer some.
#
# The output of a head is the weighted mean of the values. We take the values from the projection `value`, compute the mean
# ourselves, and compare it with the input of the model's last projection, `output`.

# %%
seen = {}
attention = model.layers[0].attention
attention.value.register_forward_hook(lambda module, given, out: seen.update(values=out))
attention.output.register_forward_pre_hook(lambda module, given: seen.update(mixed=given[0]))
with torch.no_grad():
    model(ids)

values = seen["values"].unflatten(-1, (4, -1)).transpose(1, 2)  # (B, H, T, E)
mixed = (weights @ values).transpose(1, 2).flatten(-2)  # (B, T, D)
difference = (mixed - seen["mixed"]).abs().max()
print(f"difference from the model's own result: {difference:.0e}")
assert difference < 1e-12

# %% [markdown]
# A mean with positive weights that sum to 1 lies *between* the things it averages: in their convex hull. So attention alone
# can only mix what is there. Its output cannot leave the range of the values in any direction; we test a thousand random
# directions. Only the projections and the feed-forward layer make something new.

# %%
directions = torch.randn(16, 1000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
outputs = (weights @ values) @ directions  # (B, H, T, 1000)
ends = values @ directions
outside = (outputs > ends.amax(2, keepdim=True)) | (outputs < ends.amin(2, keepdim=True))
print(f"outputs outside the range of the values: {int(outside.sum())} of {outside.numel():,}")
assert not outside.any()

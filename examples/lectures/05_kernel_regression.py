# %% [markdown]
# # Kernel regression
#
# Attention is older than transformers. To predict *y* at a new *x*, Nadaraya and Watson (1964) average the known yᵢ, with
# weights that fall with the distance of *x* and xᵢ:
#
# > ŷ(x) = Σᵢ softmaxᵢ(−(x − xᵢ)² / 2σ²) yᵢ
#
# Query *x*, keys xᵢ, values yᵢ: an attention whose score is the negative squared distance.

# %%
from collections.abc import Mapping

import torch
from figures import figure

import modelwright as mw

generator = torch.Generator().manual_seed(0)
x = (torch.rand(50, generator=generator, dtype=torch.float64) * 5).sort().values
truth = 2 * torch.sin(x) + x**0.8  # the data of "Dive into Deep Learning", chapter 11
y = truth + 0.5 * torch.randn(50, generator=generator, dtype=torch.float64)

# %% [markdown]
# `score: distance` is this attention. One head gets *x* as query and key and *y* as value if we set its projections by hand:
# the queries and keys read the first of two features, the values the second.

# %%
SPEC = """
name: regression
family: encoder-only
input: {type: features, size: 2}
max_positions: 64
d_model: 2
layers: 1
positions: none
attention: {heads: 1, bias: false, score: distance, scale: 1}
feed_forward: none
norm: none
"""
model = mw.compile(mw.loads(SPEC), dtype="float64").eval()
attention = model.layers[0].attention
pairs = torch.stack([x, y], dim=-1)[None]  # (1, 50, 2)
FIRST = torch.tensor([[1.0, 0], [0, 0]], dtype=torch.float64)
SECOND = torch.tensor([[0.0, 0], [0, 1]], dtype=torch.float64)


def smoothed(sigma: float) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
    """The prediction at each x, and the weights."""
    with torch.no_grad():
        attention.query.weight.copy_(FIRST / (2**0.5 * sigma))
        attention.key.weight.copy_(attention.query.weight)
        attention.value.weight.copy_(SECOND)
        attention.output.weight.copy_(torch.eye(2))
        predicted = (model(pairs) - pairs)[0, :, 1]  # the layer adds its input
    return predicted, mw.attention_maps(model, inputs_embeds=pairs)


predicted, maps = smoothed(0.5)
formula = torch.softmax(-((x[:, None] - x) ** 2) / (2 * 0.5**2), dim=-1)
print(
    f"weights against the formula: {(maps['layers.0.attention'][0, 0] - formula).abs().max():.0e}"
)
print(f"predictions against the formula: {(predicted - formula @ y).abs().max():.0e}")
assert (maps["layers.0.attention"][0, 0] - formula).abs().max() < 1e-12
assert (predicted - formula @ y).abs().max() < 1e-12

# %%
labels = [f"{one:.1f}" if index % 7 == 0 else "" for index, one in enumerate(x.tolist())]
figure(
    "kernel",
    mw.draw_attention(maps, labels),
    "Weights around the diagonal: each x reads its neighbours",
)

# %% [markdown]
# The width σ decides what counts as near. Too small, and each point is its own prediction, noise included. Too large,
# and every prediction is the mean of all. A trained attention layer learns its own width: it is set by the size of its queries and keys.

# %%
errors = {}
for sigma in (0.01, 0.3, 10.0):
    predicted, _ = smoothed(sigma)
    errors[sigma] = float((predicted - truth).square().mean())
    print(f"sigma {sigma}: mean squared error {errors[sigma]:.2f}")
assert errors[0.3] < errors[0.01] / 2
assert errors[0.3] < errors[10.0] / 10

# %% [markdown]
# # Why scores are divided by the square root of d
#
# A dot product of two random vectors is a sum of *d* terms. If their entries have variance 1, so has each term, and the sum
# has variance *d*. Scores would grow with the size of a head. Dividing by √d brings the variance back to 1.

# %%
import torch

import modelwright as mw

generator = torch.Generator().manual_seed(0)
for d in (16, 64, 256, 1024):
    q, k = torch.randn(2, 20_000, d, generator=generator)
    scores = (q * k).sum(-1)
    print(
        f"d = {d}: variance {scores.var():.0f}, divided by the root of d {(scores / d**0.5).var():.2f}"
    )
    assert abs(float(scores.var()) / d - 1) < 0.1

# %% [markdown]
# Why does it matter? The softmax of large scores puts everything on one key, and its gradient vanishes: changing a score
# has almost no effect. We compile the same model with and without the scale. In a head of size 64 the scores are 8 times
# as large without it.


# %%
def weights_of(scale: str) -> torch.Tensor:
    """The attention weights of a model whose queries and keys have variance 1."""
    text = f"""
name: small
family: encoder-only
vocab_size: 200
max_positions: 64
d_model: 256
layers: 1
positions: none
attention: {{heads: 4, bias: false, scale: {scale}}}
init: {{type: normal, std: 0.0625}}
"""
    model = mw.compile(mw.loads(text), seed=0).eval()
    ids = torch.randperm(200, generator=torch.Generator().manual_seed(0))[None, :64]
    return mw.attention_maps(model, input_ids=ids)["layers.0.attention"]


def slope(weights: torch.Tensor) -> torch.Tensor:
    """The largest derivative of a softmax in each row: w (1 - w)."""
    return (weights * (1 - weights)).amax(-1)


for scale in ("0.125", "none"):
    weights = weights_of(scale)
    entropy = -(weights * weights.clamp(min=1e-30).log()).sum(-1)
    print(f"scale {scale}:")
    print(f"  largest weight of a row, mean {weights.amax(-1).mean():.2f}")
    print(
        f"  entropy of a row, mean {entropy.mean():.1f} of {torch.tensor(64.0).log():.1f} at most"
    )
    assert (weights.amax(-1).mean() < 0.3) == (scale == "0.125")
    assert (entropy.mean() > 2.5) == (scale == "0.125")

# %% [markdown]
# `0.125` is 1/√64, the default. The derivative of a weight *w* with respect to its own score is w (1 − w): a row
# with one weight of 0.999 has derivatives of at most 0.001, and learning stops. Without the scale, many rows are like that.

# %%
spread, sharp = (slope(weights_of(scale)) for scale in ("0.125", "none"))
stuck = [float((each < 0.02).float().mean()) for each in (spread, sharp)]
print(f"rows whose largest derivative is below 0.02: {stuck[0]:.0%} and {stuck[1]:.0%}")
assert stuck[0] < 0.01 < stuck[1]

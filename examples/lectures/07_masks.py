# %% [markdown]
# # Masks and their cost
#
# A mask says which query may read which key. A decoder may not read the future: it would see the word that it should predict.
# Long texts need masks that leave out more, since the number of scores grows with the square of the length.

# %%
import torch
from figures import figure

import modelwright as mw

SPEC = """
name: small
family: decoder-only
vocab_size: 50
max_positions: 1024
d_model: 32
layers: 1
positions: rotary
attention: {heads: 2}
head: language_model
mask: %s
"""


def spec(mask: str) -> mw.ModelSpec:
    return mw.loads(SPEC % mask)


# %% [markdown]
# The share of scores that a mask keeps follows from its formula. For a causal mask of *T* tokens it is (T + 1) / 2T.

# %%
MASKS = {
    "causal": "everything before",
    "causal & window(128)": "the last 128 (Mistral 7B, Gemma)",
    "causal & strided(128)": "every 128th (Sparse Transformer)",
    "causal & (window(128) | global(0:4))": "the last 128, and the first four (attention sinks)",
}
densities = {}
for mask, words in MASKS.items():
    (densities[mask],) = mw.report(spec(mask), sequence=1024).density.values()
    print(f"{densities[mask]:6.1%}  {mask}: {words}")
assert abs(densities["causal"] - 1025 / 2048) < 1e-9
assert densities["causal & window(128)"] < 0.13

# %%
mask = spec("causal & (window(128) | global(0:4))").stacks["decoder"].blocks["block"].mask
figure("mask", mw.draw_mask(mask), "A causal window, and the first tokens, which all may read")

# %% [markdown]
# Masked pairs have the weight 0, exactly: their scores are minus infinity before the softmax. The rest of a row still sums
# to 1.

# %%
model = mw.compile(spec("causal & window(4)"), dtype="float64", seed=0).eval()
ids = torch.randint(0, 50, (1, 10), generator=torch.Generator().manual_seed(0))
weights = mw.attention_maps(model, input_ids=ids)["layers.0.attention"]
place = torch.arange(10)
allowed = (place[:, None] >= place) & (place[:, None] - place < 4)
print(f"weights outside the mask: {weights[:, :, ~allowed].abs().max():.0f}")
print(f"largest distance of a row's sum from 1: {(weights.sum(-1) - 1).abs().max():.0e}")
assert not weights[:, :, ~allowed].any()
assert (weights.sum(-1) - 1).abs().max() < 1e-12

# %% [markdown]
# A window limits what one layer can see, not what the model can see. Each layer reaches one window further: with *n* layers of `window(w)`
# a token depends on n (w − 1) tokens before it.

# %%
deep = mw.compile(mw.loads(SPEC % "causal & window(4)", sets=("layers=3",)), dtype="float64").eval()
with torch.no_grad():
    changed = ids.clone()
    changed[0, 0] = 49 - changed[0, 0]
    moved = (deep(ids) - deep(changed)).abs().amax(-1)[0] > 1e-12
reach = int(moved.nonzero().max())
print(f"the first of ten tokens reaches token {reach} through three layers of window(4)")
assert reach == 3 * (4 - 1)

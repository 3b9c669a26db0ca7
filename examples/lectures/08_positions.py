# %% [markdown]
# # Positions
#
# Attention does not know the order of its tokens (lecture 2). Here are four ways to add it, and what each can express.

# %%
import torch
from figures import figure

import modelwright as mw


def compiled(positions: str) -> torch.nn.Module:
    text = f"""
name: small
family: decoder-only
vocab_size: 50
max_positions: 256
d_model: 64
layers: 1
positions: {positions}
attention: {{heads: 4}}
head: language_model
"""
    return mw.compile(mw.loads(text), dtype="float64", seed=0).eval()


# %% [markdown]
# **Sinusoids** (Vaswani et al. 2017) are added to the input. Each pair of features is a clock hand that turns at its own
# speed. The product of two positions depends on their distance alone, not on where they are.

# %%
table = mw.position_table(compiled("sinusoidal"), tokens=256)["sinusoid"]
products = table @ table.T
same_distance = torch.stack([products[i, i + 10] for i in range(200)])
print(
    f"product at distance 10: {same_distance.mean():.3f}, the same everywhere to {same_distance.std():.0e}"
)
assert same_distance.std() < 1e-9

# %% [markdown]
# **Learned positions** (BERT, GPT-2) are one vector of weights for each position. There is none beyond the last position, and
# an untrained model knows nothing about distances.

# %%
learned = mw.position_table(compiled("learned"), tokens=256)["position_embedding"]
cosine = torch.nn.functional.cosine_similarity(learned[:-1], learned[1:]).mean()
print(f"weights: {learned.numel():,}; similarity of neighbours in a new model: {cosine:.2f}")
assert abs(cosine) < 0.1

# %% [markdown]
# **Rotary positions** (Su et al. 2021, [arXiv:2104.09864](https://arxiv.org/abs/2104.09864)) rotate queries and keys, and the
# score depends on the difference of the two angles. We put ten tokens at positions 0 to 9 and then at 100 to 109: the
# weights do not change.

# %%
model = compiled("rotary")
ids = torch.randint(0, 50, (1, 10), generator=torch.Generator().manual_seed(0))
here, there = (
    mw.attention_maps(model, input_ids=ids, position_ids=torch.arange(10)[None] + start)
    for start in (0, 100)
)
moved = (here["layers.0.attention"] - there["layers.0.attention"]).abs().max()
print(f"change of the weights: {moved:.0e}")
assert moved < 1e-12

# %% [markdown]
# **ALiBi** (Press et al. 2021, [arXiv:2108.12409](https://arxiv.org/abs/2108.12409)) subtracts a number from the scores that
# grows with the distance, more in some heads than in others. With queries of zero, the scores consist of this term alone.

# %%
model = compiled("alibi")
with torch.no_grad():
    model.layers[0].attention.query.weight.zero_()
    model.layers[0].attention.query.bias.zero_()
maps = mw.attention_maps(model, input_ids=ids)
weights = maps["layers.0.attention"][0]
ratios = weights[:, 9, 8] / weights[:, 9, 9]
print(
    "weight of the previous token, relative to a token's own:",
    [round(r, 2) for r in ratios.tolist()],
)
expected = torch.exp(-(2.0 ** (-2 * torch.arange(1, 5, dtype=torch.float64))))
assert (ratios - expected).abs().max() < 1e-12
figure(
    "alibi",
    mw.draw_attention(maps),
    "Four heads with ALiBi alone: the first looks back a little, the last far",
)

# %% [markdown]
# # Which heads matter
#
# Attention has several heads so that a token can read several things at once. Trained models use few of them: most heads of a
# translation model can be removed one at a time without loss (Michel et al. 2019,
# [arXiv:1905.10650](https://arxiv.org/abs/1905.10650); Voita et al. 2019, [arXiv:1905.09418](https://arxiv.org/abs/1905.09418)).
# We train a small model to copy: it reads random words twice and has to predict the second time.

# %%
import torch
from figures import figure

import modelwright as mw

SPEC = """
name: copier
family: decoder-only
vocab_size: 16
max_positions: 16
d_model: 32
layers: 2
positions: rotary
attention: {heads: 4}
head: language_model
"""
HALF = 6
model = mw.compile(mw.loads(SPEC), seed=0)


def draw(generator: torch.Generator, size: int = 64) -> torch.Tensor:
    """Random words, twice."""
    return torch.randint(0, 16, (size, HALF), generator=generator).repeat(1, 2)


def loss_of(ids: torch.Tensor) -> torch.Tensor:
    """The loss of the second time; the first cannot be predicted."""
    logits = model(ids)[:, HALF - 1 : -1]
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, HALF:].flatten())


generator = torch.Generator().manual_seed(0)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for _ in range(150):
    loss = loss_of(draw(generator))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
model.eval()

# %% [markdown]
# `mw.without_heads` leaves heads out while its context lasts: the output projection reads 0 in their place.

# %%
ids = draw(torch.Generator().manual_seed(1), size=256)


def without(layer: int, head: int) -> float:
    """The loss without one head."""
    with torch.no_grad(), mw.without_heads(model, {f"layers.{layer}.attention": [head]}):
        return float(loss_of(ids))


with torch.no_grad():
    base = float(loss_of(ids))
costs = {(layer, head): without(layer, head) - base for layer in range(2) for head in range(4)}
print(f"loss {base:.2f}; guessing would give {torch.tensor(16.0).log():.2f}")
ordered = sorted(costs.items(), key=lambda item: -item[1])
for (layer, head), cost in ordered:
    print(f"  without head {head} of layer {layer}: {cost:+.2f}")
assert base < 1
assert ordered[0][1] > 5 * abs(ordered[-1][1])

# %% [markdown]
# The heads are far from equal: removing the most important one costs many times as much as removing the least. The maps of
# both look alike at first sight. A map shows which tokens a head attends to, not whether the model needs the head (Jain and Wallace 2019,
# [arXiv:1902.10186](https://arxiv.org/abs/1902.10186)); removing it shows that.

# %%
maps = mw.attention_maps(model, input_ids=ids[:1])
letters = [chr(ord("a") + word) for word in ids[0].tolist()]
(best_layer, best_head), _ = ordered[0]
(least_layer, least_head), _ = ordered[-1]
figure(
    "most",
    mw.draw_attention(maps, letters, layers=[best_layer], heads=[best_head]),
    "The head that matters most",
)
figure(
    "least",
    mw.draw_attention(maps, letters, layers=[least_layer], heads=[least_head]),
    "The head that matters least",
)

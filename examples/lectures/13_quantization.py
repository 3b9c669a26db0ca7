# %% [markdown]
# # Quantization
#
# A trained weight needs fewer bits than a gradient step. Quantization to 8 bits divides a row of a matrix by a *scale* and
# rounds to integers from -127 to 127 (Dettmers et al. 2022, [arXiv:2208.07339](https://arxiv.org/abs/2208.07339)). The command
# is `modelwright quantize`; this lecture calls the function behind it. It needs `pip install 'modelwright[quantize]'`.
#
# First, a model that has something to lose. It reads random words twice and has to predict the second time.

# %%
import copy

import torch

import modelwright as mw
from modelwright.backends.pytorch.quantized import quantize

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


def loss_of(model: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    """The loss of the second time; the first cannot be predicted."""
    logits = model(ids)[:, HALF - 1 : -1]
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, HALF:].flatten())


generator = torch.Generator().manual_seed(0)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for _ in range(150):
    loss = loss_of(model, draw(generator))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
model.eval()

# %% [markdown]
# With one scale for a row, the largest weight of the row decides the step between two values: step = max |w| / 127. Rounding
# to the nearest value is wrong by at most half a step, and by step / √12 on average (the standard deviation of a uniform
# error).

# %%
quantized = copy.deepcopy(model)
left = quantize(quantized, "int8")
before = model.layers[0].feed_forward.up.weight.detach()
after = quantized.layers[0].feed_forward.up.weight.dequantize()
step = before.abs().amax(1, keepdim=True) / 127
error = (after - before) / step
print(f"largest error: {error.abs().max():.2f} steps")
print(f"standard deviation of the error: {error.std():.3f} steps; 1 / sqrt(12) is {12**-0.5:.3f}")
assert error.abs().max() < 0.51
assert abs(error.std() - 12**-0.5) < 0.02

# %% [markdown]
# Four bits have 16 values instead of 256, so the step is about 16 times as large. One scale for every 32 weights, instead of one
# per row, makes up for some of it in rows that are longer than that.


# %%
def relative_error(kind: str) -> float:
    """|w' - w| / |w| over the linear layers that were quantized."""
    made = copy.deepcopy(model)
    quantize(made, kind)
    pairs = [
        (one.weight.detach(), other.weight.dequantize())
        for one, other in zip(model.modules(), made.modules(), strict=True)
        if isinstance(one, torch.nn.Linear)
    ]
    wrong = sum(float((other - one).square().sum()) for one, other in pairs)
    return (wrong / sum(float(one.square().sum()) for one, _ in pairs)) ** 0.5


errors = {kind: relative_error(kind) for kind in ("int8", "int4")}
for kind, found in errors.items():
    print(f"{kind}: weights change by {100 * found:.1f} %")
assert errors["int8"] < 0.01
assert 8 < errors["int4"] / errors["int8"] < 32

# %% [markdown]
# What counts is not the weights but the predictions. Rounding errors of different weights are almost independent, so in a sum over
# many inputs most of them cancel out: 8 bits hardly change the loss, and 4 bits change it only a little.

# %%
ids = draw(torch.Generator().manual_seed(1), size=256)
losses = {}
with torch.no_grad():
    base = float(loss_of(model, ids))
    for kind in errors:
        made = copy.deepcopy(model)
        quantize(made, kind)
        losses[kind] = float(loss_of(made, ids))
print(f"float32: loss {base:.3f}; guessing would give {torch.tensor(16.0).log():.2f}")
for kind, found in losses.items():
    print(f"{kind}: loss {found:.3f}")
assert abs(losses["int8"] - base) < 0.01
assert abs(losses["int8"] - base) < abs(losses["int4"] - base) < 0.3

# %% [markdown]
# Not every matrix is quantized. An embedding is a table that is looked up, not a linear layer, and stays in 32 bits:

# %%
print(", ".join(left))
assert "token_embedding.weight" in left

# %% [markdown]
# # Where the weights are
#
# A layer of width *d* has four attention matrices of d × d and a feed-forward layer of two matrices of d × 4d:
# 4d² and 8d². One third of a layer is attention, two thirds are feed-forward, whatever *d* is.

# %%
from pathlib import Path

import modelwright as mw

EXAMPLES = Path(mw.__file__).parent / "examples"

for name in ("gpt2", "gpt2_xl", "gpt3_175b"):
    weights = mw.report(EXAMPLES / f"{name}.yaml").weights
    share = weights["attention"] / (weights["attention"] + weights["feed_forward"])
    print(f"{name}: {sum(weights.values()):,} weights, attention is {share:.2%} of the layers")
    assert abs(share - 1 / 3) < 0.001

# %% [markdown]
# The embedding is the other large part of a small model. Its size grows with *d*, the layers with d², so that it matters
# less and less.

# %%
shares = {}
for name in ("gpt2", "gpt2_medium", "gpt2_large", "gpt2_xl", "gpt3_175b"):
    weights = mw.report(EXAMPLES / f"{name}.yaml").weights
    shares[name] = weights["embedding"] / sum(weights.values())
    print(f"{name}: the embedding is {shares[name]:.1%}")
assert list(shares.values()) == sorted(shares.values(), reverse=True)
assert shares["gpt2"] > 0.3 > 0.01 > shares["gpt3_175b"]

# %% [markdown]
# Later models move this balance. Grouped-query attention shares keys and values among heads, and experts multiply the
# feed-forward layer: of Mixtral's weights almost all are experts, of which each token uses two of eight.

# %%
for name in ("llama3_8b", "mixtral_8x7b"):
    report = mw.report(EXAMPLES / f"{name}.yaml")
    weights = report.weights
    share = weights["attention"] / (weights["attention"] + weights["feed_forward"])
    print(
        f"{name}: attention is {share:.1%} of the layers; a token uses {report.weights_active:,} weights"
    )
    assert share < 0.25

# %% [markdown]
# # Sets, not sequences
#
# Attention compares every token with every other one, and nothing in it knows which came first. If the tokens are reordered,
# the outputs are reordered in the same way and are otherwise unchanged. A function with this property is *permutation equivariant*
# (Zaheer et al. 2017, Deep Sets, [arXiv:1703.06114](https://arxiv.org/abs/1703.06114)).

# %%
import torch

import modelwright as mw


def compiled(positions: str, mask: str = "full") -> torch.nn.Module:
    """A small encoder with these positions and this mask."""
    text = f"""
name: small
family: encoder-only
vocab_size: 50
max_positions: 32
d_model: 64
layers: 2
positions: {positions}
mask: {mask}
attention: {{heads: 4}}
"""
    return mw.compile(mw.loads(text), dtype="float64", seed=0).eval()


ids = torch.randint(0, 50, (1, 12), generator=torch.Generator().manual_seed(0))
order = torch.randperm(12, generator=torch.Generator().manual_seed(1))


def change(model: torch.nn.Module) -> float:
    """How much the outputs differ, apart from their places, if the tokens are reordered."""
    with torch.no_grad():
        return float((model(ids)[:, order] - model(ids[:, order])).abs().max())


# %% [markdown]
# Without positions, reordering the tokens reorders the outputs. To such a model, *dog bites man* and *man bites dog* are the
# same.

# %%
without = change(compiled("none"))
print(f"no positions: {without:.0e}")
assert without < 1e-12

# %% [markdown]
# Positions break the symmetry, whether they are added to the input (`learned`, `sinusoidal`), turn queries and keys
# (`rotary`), or change the scores (`alibi`).

# %%
for positions in ("learned", "sinusoidal", "rotary", "alibi"):
    found = change(compiled(positions))
    print(f"{positions}: {found:.1g}")
    assert found > 1e-3

# %% [markdown]
# So does a causal mask, even without positions: each token sees a set of a different size. Decoders without any positions can
# therefore learn an order (Haviv et al. 2022, [arXiv:2203.16634](https://arxiv.org/abs/2203.16634)).

# %%
causal = change(compiled("none", mask="causal"))
print(f"no positions, causal mask: {causal:.1g}")
assert causal > 1e-3

# %% [markdown]
# # Queries and keys are two things
#
# A score is a product of a query and a key. Both are computed from the same kind of vector, but with different matrices:
# qᵢ · kⱼ = xᵢᵀ (W_Qᵀ W_K) xⱼ. The matrix in the middle is not symmetric, so that what token *i* wants from token
# *j* says nothing about what *j* wants from *i*. A pronoun looks for its noun; the noun does not look for the pronoun.

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
attention: {heads: 4, bias: false}
init: {type: normal, std: 0.2}
"""
model = mw.compile(mw.loads(SPEC), dtype="float64", seed=0).eval()
attention = model.layers[0].attention
ids = torch.randint(0, 50, (1, 10), generator=torch.Generator().manual_seed(0))


def middle(head: int) -> torch.Tensor:
    """The matrix between two tokens, (D, D), of one head."""
    rows = slice(16 * head, 16 * head + 16)
    return attention.query.weight[rows].T @ attention.key.weight[rows]


# %% [markdown]
# We measure the asymmetry of a matrix *B* by ‖B − Bᵀ‖ / ‖B‖: 0 for a symmetric matrix, and √2 ≈ 1.41 for
# one whose two halves have nothing to do with each other.

# %%
with torch.no_grad():
    found = [float((middle(h) - middle(h).T).norm() / middle(h).norm()) for h in range(4)]
print("asymmetry of the four heads:", ", ".join(f"{one:.2f}" for one in found))
assert all(1.3 < one < 1.5 for one in found)

# %%
maps = mw.attention_maps(model, input_ids=ids)
weights = maps["layers.0.attention"][0]
print(f"largest |w[i, j] - w[j, i]|: {(weights - weights.mT).abs().max():.2f}")
assert (weights - weights.mT).abs().max() > 0.1
figure("two_matrices", mw.draw_attention(maps, heads=[0, 1]), "Two heads: rows and columns differ")

# %% [markdown]
# If queries and keys share one matrix, as in Reformer (Kitaev et al. 2020,
# [arXiv:2001.04451](https://arxiv.org/abs/2001.04451)), the scores are symmetric. The weights are still not, because the
# softmax divides each row by its own sum; scores that are equal do not give equal weights.

# %%
with torch.no_grad():
    attention.key.weight.copy_(attention.query.weight)
    symmetric = float((middle(0) - middle(0).T).norm() / middle(0).norm())
shared = mw.attention_maps(model, input_ids=ids)["layers.0.attention"][0]
scores = shared.log()  # up to one number per row
scores = scores - scores.diagonal(dim1=1, dim2=2)[..., None]  # relative to the token itself
print(f"asymmetry of the shared matrix: {symmetric:.0e}")
print(f"largest |w[i, j] - w[j, i]|: {(shared - shared.mT).abs().max():.2f}")
assert symmetric < 1e-12
assert (shared - shared.mT).abs().max() > 0.1

# %% [markdown]
# With one matrix, a token usually finds itself most similar, because xᵀ Wᵀ W x is a squared length. With two matrices it
# has no such preference.

# %%
itself = {
    "two matrices": (weights.argmax(-1) == torch.arange(10)).double().mean(),
    "one matrix": (shared.argmax(-1) == torch.arange(10)).double().mean(),
}
for name, share in itself.items():
    print(f"{name}: {share:.0%} of the queries read themselves most")
assert itself["one matrix"] > 2 * itself["two matrices"]

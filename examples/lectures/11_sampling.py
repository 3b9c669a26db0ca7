# %% [markdown]
# # Sampling and temperature
#
# A language model gives a number to every word, the logits *z*. Their softmax is a distribution, from which text is sampled
# word by word. The temperature τ changes how random the choice is: softmax(z / τ).

# %%
import torch

import modelwright as mw

logits = torch.tensor([2.0, 1.0, 0.0])
for temperature in (0.1, 0.5, 1.0, 2.0, 10.0):
    probabilities = (logits / temperature).softmax(-1)
    print(f"temperature {temperature}:", [round(p, 2) for p in probabilities.tolist()])

# %% [markdown]
# Towards 0 only the best word is left: that is greedy decoding. Towards infinity all words are alike. In between, the order
# of the words stays the same, and the entropy grows.

# %%
temperatures = torch.linspace(0.1, 10, 100)[:, None]
distributions = (logits / temperatures).softmax(-1)
entropy = -(distributions * distributions.log()).sum(-1)
print(
    f"entropy from {entropy[0]:.2f} to {entropy[-1]:.2f}, of {torch.tensor(3.0).log():.2f} at most"
)
assert (entropy.diff() > 0).all()
assert (distributions.argsort(-1, descending=True) == torch.arange(3)).all()

# %% [markdown]
# `generate` of an emitted model samples in this way. We let a small model continue the same prompt 4,000 times and count its
# next words.

# %%
SPEC = """
name: small
family: decoder-only
vocab_size: 12
max_positions: 16
d_model: 32
layers: 1
positions: rotary
attention: {heads: 2}
head: language_model
init: {type: normal, std: 0.3}
"""
model = mw.compile(mw.loads(SPEC), seed=0).eval()
prompt = torch.tensor([[3, 1, 4]])
with torch.no_grad():
    expected = model(prompt)[0, -1]


def counted(**options: float) -> torch.Tensor:
    """The share of each word among 4,000 draws."""
    torch.manual_seed(0)
    drawn = model.generate(prompt.expand(4000, -1), max_new_tokens=1, **options)[:, -1]
    return drawn.bincount(minlength=12) / 4000


for temperature in (0.5, 1.0, 2.0):
    wanted = (expected / temperature).softmax(-1)
    off = (counted(temperature=temperature) - wanted).abs().sum() / 2
    print(
        f"temperature {temperature}: best word {wanted.max():.0%}; counted shares are off by {off:.1%}"
    )
    assert off < 0.04

# %% [markdown]
# `top_k` keeps the best *k* words, `top_p` the fewest best words that have the probability *p* together (Holtzman et al. 2019,
# [arXiv:1904.09751](https://arxiv.org/abs/1904.09751)). Both cut off the long tail of unlikely words.

# %%
for name, options in {"top_k=3": {"top_k": 3}, "top_p=0.8": {"top_p": 0.8}}.items():
    words = int((counted(**options) > 0).sum())
    print(f"{name}: {words} different words of {int((counted() > 0).sum())}")
best = expected.softmax(-1).sort(descending=True).values.cumsum(-1)
assert int((counted(top_k=3) > 0).sum()) == 3
assert int((counted(top_p=0.8) > 0).sum()) == int((best < 0.8).sum()) + 1
assert (counted(temperature=0) == 1).sum() == 1

# %% [markdown]
# # Alignment
#
# Attention entered translation because one vector is too small for a sentence. Bahdanau et al. (2014,
# [arXiv:1409.0473](https://arxiv.org/abs/1409.0473)) let the decoder look back at every source word, with the score
# vᵀ tanh(q + k), and plotted which words it looked at. We do the same with a task whose alignment is known: to write a
# sequence backwards.

# %%
import torch
from figures import figure

import modelwright as mw

SPEC = """
name: reverse
family: encoder-decoder
vocab_size: 16
max_positions: 8
d_model: 32
layers: 1
positions: learned
attention: {heads: 1, score: additive}
head: language_model
tokens: {decoder_start: 0}
"""
LENGTH = 6
model = mw.compile(mw.loads(SPEC), seed=0)


def draw(generator: torch.Generator, size: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Random words, and the same backwards."""
    words = torch.randint(1, 16, (size, LENGTH), generator=generator)
    return words, words.flip(1)


def shifted(target: torch.Tensor) -> torch.Tensor:
    """What the decoder reads: a start token, then the target without its last word."""
    return torch.nn.functional.pad(target[:, :-1], (1, 0))


# %% [markdown]
# Before training, the cross-attention spreads over all words.

# %%
source, target = draw(torch.Generator().manual_seed(1), size=200)
NAME = "decoder.layers.0.cross_attention"


def aligned() -> float:
    """The share of written words whose largest weight is on the word that they copy."""
    weights = mw.attention_maps(model, input_ids=source, decoder_input_ids=shifted(target))[NAME]
    return float((weights[:, 0].argmax(-1) == torch.arange(LENGTH).flip(0)).double().mean())


before = aligned()
generator = torch.Generator().manual_seed(0)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for _ in range(300):
    words, backwards = draw(generator)
    loss = model.loss(model(words, shifted(backwards)), backwards)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
model.eval()

# %%
with torch.no_grad():
    correct = (model(source, shifted(target)).argmax(-1) == target).double().mean()
print(f"words that are right after training: {correct:.0%}")
print(f"words that read the word they copy: {before:.0%} before, {aligned():.0%} after")
assert correct > 0.95
assert before < 0.5
assert aligned() > 0.9

# %% [markdown]
# Nobody told the model where to look. It learned the alignment from the words alone: the *n*-th word that it writes reads the
# *n*-th word from the end.

# %%
maps = mw.attention_maps(model, input_ids=source[:1], decoder_input_ids=shifted(target[:1]))
letters = " abcdefghijklmno"
names = {
    "encoder": [letters[i] for i in source[0].tolist()],
    "decoder": [letters[i] for i in target[0].tolist()],
}
figure(
    "alignment",
    mw.draw_attention(maps, names, only="cross_attention"),
    "Cross-attention of the trained model: dark cells from the lower left to the upper right",
)

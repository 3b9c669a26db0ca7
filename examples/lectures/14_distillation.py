# %% [markdown]
# # Distillation
#
# A small model can learn from the probabilities of a large one, the *teacher*, instead of from labels (Hinton et al. 2015,
# [arXiv:1503.02531](https://arxiv.org/abs/1503.02531)). The command is `modelwright train --teacher`; this lecture writes out
# its loss. The teacher has learned to copy: it reads random words twice and predicts the second time.

# %%
import torch
from torch.nn import functional

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


def draw(generator: torch.Generator, size: int = 64) -> torch.Tensor:
    """Random words, twice."""
    return torch.randint(0, 16, (size, HALF), generator=generator).repeat(1, 2)


def logits_of(model: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    """The logits of the second time, (words, 16); the first cannot be predicted."""
    return model(ids)[:, HALF - 1 : -1].flatten(0, 1)


def loss_of(model: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(logits_of(model, ids), ids[:, HALF:].flatten())


generator = torch.Generator().manual_seed(0)
teacher = mw.compile(mw.loads(SPEC), seed=0)
optimizer = torch.optim.Adam(teacher.parameters(), lr=5e-3)
for _ in range(150):
    loss = loss_of(teacher, draw(generator))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
teacher.eval()
ids = draw(torch.Generator().manual_seed(1), size=256)
with torch.no_grad():
    taught = logits_of(teacher, ids)
    base = float(loss_of(teacher, ids))
print(f"teacher: loss {base:.2f}; guessing would give {torch.tensor(16.0).log():.2f}")
assert base < 1

# %% [markdown]
# A trained teacher is nearly sure of its answer, so its other probabilities, which say what it finds similar, are close to 0.
# Dividing the logits by a temperature T makes them visible.


# %%
def entropy(logits: torch.Tensor) -> float:
    """Mean entropy in nats."""
    return float(torch.distributions.Categorical(logits=logits).entropy().mean())


entropies = {temperature: entropy(taught / temperature) for temperature in (0.5, 1, 2, 4, 8)}
for temperature, found in entropies.items():
    print(f"T = {temperature:>3}: entropy {found:.2f} of at most {torch.tensor(16.0).log():.2f}")
assert list(entropies.values()) == sorted(entropies.values())

# %% [markdown]
# The student minimises the Kullback-Leibler divergence of its probabilities from the teacher's, both at temperature T. Its
# gradient shrinks with 1 / T², so the loss is multiplied by T². For a large T, the gradient is the difference of the logits
# divided by their number, once their means are 0: the student then matches logits (section 2.1 of the paper).


# %%
def distillation_loss(student: torch.Tensor, teacher: torch.Tensor, temperature: float):
    """T² KL(teacher || student), the mean over words."""
    ours, theirs = (functional.log_softmax(each / temperature, -1) for each in (student, teacher))
    divergence = functional.kl_div(ours, theirs, log_target=True, reduction="batchmean")
    return divergence * temperature**2


student_logits = torch.randn(
    taught.shape, generator=torch.Generator().manual_seed(2), requires_grad=True
)
centred = [each - each.mean(-1, keepdim=True) for each in (student_logits.detach(), taught)]
limit = (centred[0] - centred[1]) / 16 / len(taught)
distances = {}
for temperature in (1, 10, 100):
    (gradient,) = torch.autograd.grad(
        distillation_loss(student_logits, taught, temperature), student_logits
    )
    distances[temperature] = float((gradient - limit).norm() / limit.norm())
    print(
        f"T = {temperature:>3}: the gradient differs from its limit by {distances[temperature]:.3f}"
    )
assert distances[100] < 0.1 < distances[1]
assert distances[100] < 0.2 * distances[10]

# %% [markdown]
# Now a student with half the width learns from the teacher alone: its loss contains no label. It is trained for 250 steps;
# the teacher was trained for 150.

# %%
student = mw.compile(mw.loads(SPEC, sets=["d_model=16", "attention.heads=2"]), seed=1)
optimizer = torch.optim.Adam(student.parameters(), lr=5e-3)
for _ in range(250):
    batch = draw(generator)
    with torch.no_grad():
        targets = logits_of(teacher, batch)
    loss = distillation_loss(logits_of(student, batch), targets, 2.0)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
student.eval()
with torch.no_grad():
    learned = float(loss_of(student, ids))
sizes = [
    mw.report(mw.loads(SPEC, sets=sets)).weights_total
    for sets in ([], ["d_model=16", "attention.heads=2"])
]
print(f"student: loss {learned:.2f} with {100 * sizes[1] / sizes[0]:.0f} % of the weights")
assert learned < 2

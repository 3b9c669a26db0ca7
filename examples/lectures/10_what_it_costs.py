# %% [markdown]
# # What it costs
#
# Projections and feed-forward layers treat each token by itself: their cost grows with the number of tokens *T*. Scores
# compare each token with each other one: their cost grows with T².

# %%
from pathlib import Path

import modelwright as mw

EXAMPLES = Path(mw.__file__).parent / "examples"
GPT2 = mw.load(EXAMPLES / "gpt2.yaml", sets=["max_positions=65536"])

lengths = (1024, 2048, 4096)
reports = [mw.report(GPT2, sequence=length) for length in lengths]
print(f"FLOPs of scores and weighted sums: {reports[0].attention_formula}")
for length, report in zip(lengths, reports, strict=True):
    growth = report.attention_flops / reports[0].attention_flops
    total = sum(report.flops.values())
    print(
        f"T = {length}: {growth:.2f} times the scores of 1,024 tokens, {report.attention_flops / total:.0%} of all FLOPs"
    )
growths = [report.attention_flops / reports[0].attention_flops for report in reports]
assert abs(growths[1] - 4) < 0.01
assert abs(growths[2] - 16) < 0.02

# %% [markdown]
# The factor is a little less than 4, because the mask is causal: T (T + 1) / 2 pairs. In short texts the scores hardly
# matter; here is the length at which they cost as much as everything else.


# %%
def scores_dominate(length: int) -> bool:
    report = mw.report(GPT2, sequence=length)
    return report.attention_flops > sum(report.flops.values()) / 2


low, high = 1024, 65536
while high - low > 1:
    middle = (low + high) // 2
    low, high = (low, middle) if scores_dominate(middle) else (middle, high)
print(f"scores overtake the rest at {high:,} tokens")
assert 10_000 < high < 20_000

# %% [markdown]
# During generation the keys and values of all previous tokens are kept. This cache grows with the length and with the number
# of key heads, which grouped-query attention reduces (Ainslie et al. 2023,
# [arXiv:2305.13245](https://arxiv.org/abs/2305.13245)).

# %%
caches = {
    heads: mw.report(
        mw.load(EXAMPLES / "gpt2.yaml", sets=[f"attention.kv_heads={heads}"]), sequence=1024
    ).cache_bytes
    for heads in (12, 4, 1)
}
for heads, size in caches.items():
    print(f"{heads} key heads: {size / 2**20:.0f} MiB for 1,024 tokens")
assert caches[12] == 3 * caches[4] == 12 * caches[1]

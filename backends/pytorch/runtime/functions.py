"""Small functions that torch does not have."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .grouped import grouped_attention


def quick_gelu(x: Tensor) -> Tensor:
    """GELU approximated by a sigmoid (Hendrycks, Gimpel 2016, arXiv:1606.08415)."""
    return x * torch.sigmoid(1.702 * x)


class XIELU(nn.Module):
    """xIELU, with learned slopes on both sides of 0 (Huang and Schlag 2024, arXiv:2411.13010)."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha_p = nn.Parameter(torch.empty(1))
        self.alpha_n = nn.Parameter(torch.empty(1))
        self.beta = nn.Parameter(torch.empty(1), requires_grad=False)
        self.eps = nn.Parameter(torch.empty(1), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        positive = F.softplus(self.alpha_p) * x * x
        slope = self.beta + F.softplus(self.alpha_n)
        negative = slope * (torch.expm1(torch.minimum(x, self.eps)) - x)
        return torch.where(x > 0, positive, negative) + self.beta * x


def swish(x: Tensor, beta: float) -> Tensor:
    """x * sigmoid(beta * x); SiLU if beta is 1 (Ramachandran et al. 2017, arXiv:1710.05941)."""
    return x * torch.sigmoid(beta * x)


def softcap(x: Tensor, cap: float) -> Tensor:
    """Logit soft-capping: keep x within [-cap, cap] (Bello et al. 2016, arXiv:1611.09940)."""
    return cap * torch.tanh(x / cap)


def drop_path(x: Tensor, rate: float, training: bool) -> Tensor:
    """Stochastic depth: in training, zero the branch output of a sequence with probability `rate`.

    The rest is divided by 1 - rate (Huang et al. 2016, arXiv:1603.09382).
    """
    if not training:
        return x
    kept = x.new_empty(x.size(0), *[1] * (x.dim() - 1)).bernoulli_(1 - rate)
    return x * kept / (1 - rate)


def drop_labels(labels: Tensor, rate: float, no_class: int, training: bool) -> Tensor:
    """In training, replace labels by `no_class` with probability `rate`, for classifier-free
    guidance (Ho, Salimans 2022, arXiv:2207.12598).
    """
    if not training:
        return labels
    kept = torch.empty(labels.shape, device=labels.device).bernoulli_(1 - rate)
    return torch.where(kept.bool(), labels, no_class)  # (B,)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x (B, T, D), scaled and shifted by vectors (B, D) (Peebles, Xie 2022, arXiv:2212.09748)."""
    return x * (1 + scale[:, None]) + shift[:, None]


def zero_padding(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """x (B, T, D) with zeros at the padding of `attention_mask` (B, T)."""
    return x if attention_mask is None else x * attention_mask[..., None].type_as(x)


def padding_mask(attention_mask: Tensor | None) -> Tensor | None:
    """True at tokens that are not padding, (B, 1, 1, T); None without `attention_mask`."""
    return None if attention_mask is None else attention_mask.bool()[:, None, None, :]


def first_token_index(attention_mask: Tensor | None, device: torch.device) -> Tensor:
    """Index of each sequence's first token that is not padding, (B, 1, 1, 1)."""
    if attention_mask is None:
        return torch.zeros(1, 1, 1, 1, dtype=torch.long, device=device)
    real = F.pad(attention_mask.bool().long(), (0, 1))  # an empty mask has no largest element
    return real.argmax(-1)[:, None, None, None]


def masks_of_heads(heads: int, *masks: Tensor) -> Tensor:
    """One mask (B or 1, H, T, S) of several, each for an equal share of the heads, in order."""
    none = masks[0].new_zeros(1, 1, 1, 1)
    for mask in masks:
        none = none & mask  # broadcast to the shape of all masks: (B or 1, 1, T, S)
    run = heads // len(masks)
    return torch.cat([(mask | none).expand(-1, run, -1, -1) for mask in masks], dim=1)


def global_queries(global_mask: Tensor | None, device: torch.device) -> Tensor:
    """True at queries that are global tokens, (B, 1, T, 1); all False without `global_mask`."""
    if global_mask is None:
        return torch.zeros(1, 1, 1, 1, dtype=torch.bool, device=device)
    return global_mask.bool()[:, None, :, None]  # (B, 1, T, 1)


def queries_between(first: int, stop: int, end: int, device: torch.device) -> Tensor:
    """True at queries with `first` <= index < `stop`, (1, 1, T, 1)."""
    position = torch.arange(end, device=device)[None, None, :, None]
    return (position >= first) & (position < stop)  # (1, 1, T, 1)


def global_places(rows: Tensor) -> Tensor:
    """Positions of the queries that are global in any sequence, (Tg,), from `global_queries`.

    Compiled and exported files take all positions: one graph serves any number of global tokens.
    """
    if torch.compiler.is_compiling():
        return torch.arange(rows.size(2), device=rows.device)  # (T,)
    return rows.any(0)[0, :, 0].nonzero()[:, 0]  # (Tg,)


def scaled_scores(q: Tensor, k: Tensor, scale: float) -> Tensor:
    """Scaled dot products of queries and keys, (B, H, T, S)."""
    groups = torch.unflatten(q, 1, (k.size(1), -1)).flatten(2, 3)  # H/K * T rows for each key head
    return (groups @ k.transpose(-2, -1) * scale).view(*q.shape[:3], k.size(2))


def distance_scores(q: Tensor, k: Tensor, scale: float) -> Tensor:
    """-scale * |q - k|^2, (B, H, T, S)."""
    squares = k.square().sum(-1).repeat_interleave(q.size(1) // k.size(1), dim=1)[:, :, None]
    return scaled_scores(q, k, 2 * scale) - scale * (squares + q.square().sum(-1, keepdim=True))


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax over the keys that the mask allows; 0 for queries that may attend to no key."""
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    unseen = scores == -torch.inf
    scores = scores.masked_fill(unseen, torch.finfo(scores.dtype).min)  # -inf alone makes NaN
    return scores.softmax(-1).masked_fill(unseen, 0.0)


def softmax_with_sinks(scores: Tensor, mask: Tensor | None, sinks: Tensor) -> Tensor:
    """Masked softmax where each head has a sink (H,), a score without a value (OpenAI 2025,
    arXiv:2508.10925): the weights sum to less than 1.
    """
    column = sinks[:, None, None].type_as(scores).expand(*scores.shape[:-1], 1)  # (B, H, T, 1)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return torch.cat([scores, column], dim=-1).softmax(-1)[..., :-1]


def weighted_sum(weights: Tensor, v: Tensor, dropout: float = 0.0) -> Tensor:
    """The attention weights (B, H, T, S) times the values (B, K, S, E), (B, H, T, E)."""
    groups = torch.unflatten(F.dropout(weights, dropout), 1, (v.size(1), -1)).flatten(2, 3)
    return (groups @ v).view(*weights.shape[:3], v.size(3))


def mixed_heads(x: Tensor, matrix: Tensor) -> Tensor:
    """Scores or weights (B, H, T, S) whose heads are mixed by a matrix (H, H): talking heads
    (Shazeer et al. 2020, arXiv:2003.02436).
    """
    return torch.einsum("gh,bhts->bgts", matrix, x)


def capped_scores(q: Tensor, k: Tensor, scale: float, cap: float) -> Tensor:
    """Scaled dot-product scores with soft-capping to [-cap, cap], (B, H, T, S)."""
    groups = torch.unflatten(q, 1, (k.size(1), -1)).flatten(2, 3)  # H/K * T rows for each key head
    scores = cap * torch.tanh(groups @ k.transpose(-2, -1) * scale / cap)
    return scores.view(*q.shape[:3], k.size(2))  # (B, H, T, S)


def weighted_values(scores: Tensor, v: Tensor, dropout: float) -> Tensor:
    """Softmax of the scores times the values; 0 for queries that may attend to no key."""
    unseen = scores == -torch.inf
    scores = scores.masked_fill(unseen, torch.finfo(scores.dtype).min)  # -inf alone makes NaN
    weights = F.dropout(scores.softmax(-1).masked_fill(unseen, 0.0), dropout)  # (B, H, T, S)
    groups = torch.unflatten(weights, 1, (v.size(1), -1)).flatten(2, 3)
    return (groups @ v).view(*scores.shape[:3], v.size(3))  # (B, H, T, E)


def as_bias(mask: Tensor | None, q: Tensor, k: Tensor) -> Tensor:
    """The mask as an additive bias: 0 where it is True, else -inf, (B, H, T, S)."""
    bias = q.new_zeros(k.size(2)) if mask is None else q.new_zeros(mask.shape)
    if mask is not None:
        bias = bias.masked_fill(~mask, -torch.inf)
    return bias.expand(q.size(0), q.size(1), q.size(2), k.size(2))


def with_sinks(k: Tensor, v: Tensor, bias: Tensor, sinks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Append a key and a value of zeros, whose score is the attention sink of the head.

    The sink takes part in the softmax, so the weights of the real keys sum to less than 1 (OpenAI
    2025, arXiv:2508.10925).
    """
    column = sinks[:, None, None].type_as(bias).expand(*bias.shape[:-1], 1)  # (B, H, T, 1)
    return F.pad(k, (0, 0, 0, 1)), F.pad(v, (0, 0, 0, 1)), torch.cat([bias, column], dim=-1)


def attention_with_sinks(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor,
    sinks: Tensor,
    dropout: float = 0.0,
    scale: float | None = None,
) -> Tensor:
    """Attention with a learned sink per head (gpt-oss, OpenAI 2025, arXiv:2508.10925)."""
    bias = bias.expand(q.size(0), q.size(1), q.size(2), k.size(2))
    k, v, bias = with_sinks(k, v, bias, sinks)
    bias = by_group(bias, k.size(1))
    return grouped_attention(q, k, v, attn_mask=bias, dropout_p=dropout, scale=scale)


def biased_grouped_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor,
    dropout_p: float = 0.0,
    scale: float | None = None,
) -> Tensor:
    """The same as `grouped_attention` with a bias for each head, (B or 1, H, T, S)."""
    bias = by_group(bias, k.size(1))
    return grouped_attention(q, k, v, attn_mask=bias, dropout_p=dropout_p, scale=scale)


def by_group(bias: Tensor, kv_heads: int) -> Tensor:
    """The bias of `grouped_attention`, (B or 1, H, T, S); for one query (B or 1, K, H/K, S)."""
    if bias.size(-2) != 1:
        return bias
    return torch.unflatten(bias, -3, (kv_heads, -1)).squeeze(-2)


def explicit_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    scale: float,
    cap: float,
    dropout: float = 0.0,
) -> Tensor:
    """Attention with soft-capping of the scores, before mask and softmax (Gemma 2)."""
    scores = capped_scores(q, k, scale, cap)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return weighted_values(scores, v, dropout)


def biased_explicit_attention(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, scale: float, cap: float, dropout: float = 0.0
) -> Tensor:
    """Attention with soft-capping of the scores, before bias and softmax (Gemma 2)."""
    return weighted_values(capped_scores(q, k, scale, cap) + bias, v, dropout)


def capped_attention_with_sinks(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    bias: Tensor,
    sinks: Tensor,
    scale: float,
    cap: float,
    dropout: float = 0.0,
) -> Tensor:
    """Attention with soft-capping of the scores (Gemma 2) and a learned sink per head."""
    bias = bias.expand(q.size(0), q.size(1), q.size(2), k.size(2))
    return biased_explicit_attention(q, *with_sinks(k, v, bias, sinks), scale, cap, dropout)


def distance_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float, dropout: float = 0.0
) -> Tensor:
    """Attention whose scores are -scale * |q - k|^2, the squared distance of query and key."""
    bias = q.new_zeros(1)
    if mask is not None:
        bias = bias.where(mask, -torch.inf)
    return biased_distance_attention(q, k, v, bias, scale, dropout)


def biased_distance_attention(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, scale: float, dropout: float = 0.0
) -> Tensor:
    """Attention whose scores are -scale * |q - k|^2 plus a bias.

    -|q - k|^2 = 2 q.k - |k|^2 - |q|^2, and |q|^2 is the same for all keys, so that the softmax does
    not depend on it.
    """
    groups = q.size(1) // k.size(1)
    k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
    bias = bias - scale * k.square().sum(-1)[:, :, None]  # (B, H, T, S) or (B, H, 1, S)
    return F.scaled_dot_product_attention(
        q, k, v, attn_mask=bias, dropout_p=dropout, scale=2 * scale
    )


def added_scores(q: Tensor, k: Tensor, vector: Tensor) -> Tensor:
    """Scores vector . tanh(q + k), (B, H, T, S) (Bahdanau et al. 2014, arXiv:1409.0473)."""
    k = k.repeat_interleave(q.size(1) // k.size(1), dim=1)
    sums = torch.tanh(q[:, :, :, None] + k[:, :, None])  # (B, H, T, S, E)
    return (sums @ vector[:, None, :, None]).squeeze(-1)  # (B, H, T, S)


def additive_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, vector: Tensor, dropout: float = 0.0
) -> Tensor:
    """Attention with additive scores."""
    scores = added_scores(q, k, vector)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return weighted_values(scores, v, dropout)


def biased_additive_attention(
    q: Tensor, k: Tensor, v: Tensor, bias: Tensor, vector: Tensor, dropout: float = 0.0
) -> Tensor:
    """Attention with additive scores and a bias."""
    return weighted_values(added_scores(q, k, vector) + bias, v, dropout)


def last_token(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The vector of the last token that is not padding (B, D); 0 if all are padding."""
    if attention_mask is None:
        return x[:, -1]
    real = attention_mask.bool()
    position = torch.arange(1, x.size(1) + 1, device=x.device) * real  # from 1; 0 at padding
    found = x[torch.arange(x.size(0), device=x.device), position.argmax(-1)]  # (B, D)
    return found.masked_fill(~real.any(-1, keepdim=True), 0.0)


def mean_pool(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The mean over the tokens that are not padding (B, D); 0 if all are padding."""
    if attention_mask is None:
        return x.mean(1)
    real = attention_mask[..., None].type_as(x)  # (B, T, 1)
    return (x * real).sum(1) / real.sum(1).clamp(min=1)  # (B, D)


def max_pool(x: Tensor, attention_mask: Tensor | None) -> Tensor:
    """The elementwise maximum over the tokens that are not padding (B, D); 0 if all are padding."""
    if attention_mask is None:
        return x.amax(1)
    real = attention_mask.bool()[..., None]  # (B, T, 1)
    return x.masked_fill(~real, -torch.inf).amax(1).masked_fill(~real.any(1), 0.0)  # (B, D)


def attention_pool(x: Tensor, scores: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Mean of the tokens without padding, weighted by a softmax of their scores (B, T, 1).

    After Lin et al. 2017, arXiv:1703.03130.
    """
    if attention_mask is None:
        return (scores.softmax(1) * x).sum(1)
    padding = ~attention_mask.bool()[..., None]
    scores = scores.masked_fill(padding, torch.finfo(scores.dtype).min)  # -inf alone makes NaN
    return (scores.softmax(1).masked_fill(padding, 0.0) * x).sum(1)  # (B, D)


def token_pool(x: Tensor, input_ids: Tensor, token_id: int) -> Tensor:
    """The vector at the first occurrence of `token_id` in each sequence, (B, D)."""
    position = (input_ids == token_id).int().argmax(-1)
    return x[torch.arange(x.size(0), device=x.device), position]  # (B, D)


def drawn_blocks(first: int, last: int, end: int, size: int, count: int, seed: int) -> Tensor:
    """True for the `count` pseudo-random key blocks of each query block `first` to `last`.

    They are those with the smallest hash values; BigBird draws them (Zaheer et al. 2020,
    arXiv:2007.14062). A last column, for a block after the end, lets `torch.export` vary `end`.
    """
    blocks = (end - 1) // size + 1
    rows, columns = torch.arange(first, last)[:, None], torch.arange(blocks + 1)
    hashed = ((rows * 92837111) ^ (columns * 689287499) ^ (seed * 283923481)) & 0x7FFFFFFF
    for _ in range(2):
        hashed = hashed * 48271 % 2147483647
    hashed = hashed.masked_fill(columns == blocks, 2147483647)
    return hashed.argsort(dim=-1, stable=True).argsort(dim=-1) < count


def random_blocks(
    start: int, stop: int, k: Tensor, end: int, size: int, count: int, seed: int
) -> Tensor:
    """True where a query of `start` to `stop` may attend to key k: in the blocks drawn for it."""
    first, last = start // size, (stop - 1) // size + 1
    drawn = drawn_blocks(first, last + 1, end, size, count, seed).to(k.device)  # two rows or more
    rows = torch.arange(start, stop, device=k.device) // size - first  # (T,)
    return drawn.index_select(1, k // size).index_select(0, rows)  # (T, S)

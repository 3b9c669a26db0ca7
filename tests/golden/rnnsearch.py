"""rnnsearch: a 1-layer 2-stack transformer, in one file (PyTorch >= 2.5).

Written by `modelwright build rnnsearch.yaml -o rnnsearch.py` (0.1.0, spec sha256 62046d18d6e3).

    part                                  weights
    encoder.token_embedding            18,600,000
    encoder.layer                       9,726,000
    decoder.token_embedding            18,600,000
    decoder.layer                      14,865,000
    head.dense                          3,621,000
    head.output                        15,000,000
    total                              80,412,000

Shapes:  B batch  T new tokens  S all tokens  M memory  D d_model  H heads  Dm width of the memory
         Dr width of the result of a recurrence  E head_dim  V vocabulary  N projection size
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Hyperparameters of the model. The defaults are those of the spec."""

    d_model: int = 620
    vocab_size: int = 30000
    layers: int = 1
    hidden: int = 1000
    head_dim: int = 1000
    maxout_width: int = 500
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, size in vars(self).items():
            if type(vars(Config)[name]) is int and (type(size) is not int or size < 1):
                raise ValueError(f"{name} must be an int of at least 1: {self}")
        if not self.init_std >= 0:
            raise ValueError(f"init_std must be >= 0: {self}")
        if self.layers != 1:
            raise ValueError(f"layers ({self.layers}) must equal 1")


class Cache:
    """States of recurrences, of constant size, and keys and values of the memory, by layer."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self.memory: dict[int, tuple[Tensor, Tensor]] = {}
        self.states: dict[int, Tensor] = {}

    def state(self, layer: int, batch: int) -> Tensor | None:
        """The state of a layer, (B, …), or None before the first token."""
        state = self.states.get(layer)
        if state is not None and state.size(0) != batch:
            raise ValueError(f"batch {batch}; the cache has {state.size(0)}")
        return state

    def set_state(self, layer: int, state: Tensor) -> None:
        """Store the state of a layer after the new tokens, (B, …)."""
        self.states[layer] = state


def check_shapes(shape: tuple[int, ...], **given: Tensor | None) -> None:
    """Check shapes and integer dtypes. Masks may be bool; positions may have a single row."""
    for name, x in [(name, x) for name, x in given.items() if x is not None]:
        kind, size = ("int or bool", 1) if name.endswith("mask") else ("int64", 4)  # min. bytes
        shapes = [shape, (1, *shape[1:]), shape[1:]] if name.endswith("position_ids") else [shape]
        if x.shape not in shapes or x.is_floating_point() or x.element_size() < size:
            raise ValueError(f"{name} must be {kind} {shape}, not {x.dtype} {(*x.shape,)}")


def gru_step(x: Tensor, state: Tensor, weight: Tensor) -> Tensor:
    """The next state (B, H) of a gated recurrent unit (Cho et al. 2014, arXiv:1406.1078).

    x (B, 3H) is what the inputs add to the reset gate, the update gate and the candidate. The reset
    gate multiplies the state; the update gate weighs the candidate.
    """
    size = state.size(1)
    gates, candidate = torch.split(weight, [2 * size, size])
    reset, update = torch.sigmoid(x[:, : 2 * size] + F.linear(state, gates)).chunk(2, dim=1)
    new = torch.tanh(x[:, 2 * size :] + F.linear(reset * state, candidate))
    return (1 - update) * state + update * new


def unless_padding(new: Tensor, state: Tensor, attention_mask: Tensor | None, token: int) -> Tensor:
    """The new state (B, H), or the old one in rows where this token of the mask is padding."""
    if attention_mask is None:
        return new
    return torch.where(attention_mask[:, token, None].bool(), new, state)


def recur(
    step: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    state: Tensor,
    attention_mask: Tensor | None,
    backward: bool = False,
) -> tuple[Tensor, Tensor]:
    """The states (B, T, H) of a recurrence over x (B, T, G*H), and the last one.

    `attention_mask` (B, S) ends with the T tokens; at padding the state stays as it is.
    """
    found: list[Tensor] = []
    tokens = range(x.size(1))
    for t in reversed(tokens) if backward else tokens:
        state = unless_padding(step(x[:, t], state), state, attention_mask, t - x.size(1))
        found.append(state)
    states = torch.stack((found[::-1] if backward else found) or [state], dim=1)
    return states[:, : x.size(1)], state  # no states without tokens


def weighted_values(scores: Tensor, v: Tensor, dropout: float) -> Tensor:
    """Softmax of the scores times the values; 0 for queries that may attend to no key."""
    unseen = scores == -torch.inf
    scores = scores.masked_fill(unseen, torch.finfo(scores.dtype).min)  # -inf alone makes NaN
    weights = F.dropout(scores.softmax(-1).masked_fill(unseen, 0.0), dropout)  # (B, H, T, S)
    groups = torch.unflatten(weights, 1, (v.size(1), -1)).flatten(2, 3)
    return (groups @ v).view(*scores.shape[:3], v.size(3))  # (B, H, T, E)


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


def sample(logits: Tensor, temperature: float, top_k: int | None, top_p: float | None) -> Tensor:
    """Sample one token per row of `logits` (B, V). Temperature 0 takes the most likely one."""
    if temperature == 0:
        return logits.argmax(-1)  # (B,)
    logits = logits.float() / temperature
    if top_k:
        kth = logits.topk(min(top_k, logits.size(-1))).values[:, -1:]
        logits = logits.masked_fill(logits < kth, -torch.inf)
    if top_p is not None and top_p < 1:  # fewest tokens with probability >= top_p
        ranked, order = logits.sort(descending=True)
        mass = ranked.softmax(-1).cumsum(-1) - ranked.softmax(-1)  # 0 for the most likely token
        logits = logits.scatter(-1, order, ranked.masked_fill(mass >= max(top_p, 1e-9), -torch.inf))
    return torch.multinomial(logits.softmax(-1), 1).squeeze(-1)


class EncoderGru(nn.Module):
    """Gated recurrent unit in both directions (Cho et al. 2014, arXiv:1406.1078)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.hidden = config.hidden
        self.input = nn.Linear(config.d_model, 3 * config.hidden)
        self.state = nn.Linear(config.hidden, 3 * config.hidden, bias=False)
        self.backward_input = nn.Linear(config.d_model, 3 * config.hidden)
        self.backward_state = nn.Linear(config.hidden, 3 * config.hidden, bias=False)

    def forward(self, x: Tensor, attention_mask: Tensor | None) -> Tensor:
        gates = self.input(x)  # (B, T, 3*H)
        state = gates.new_zeros(gates.size(0), self.hidden)
        states, state = recur(
            partial(gru_step, weight=self.state.weight), gates, state, attention_mask
        )
        backward_gates = self.backward_input(x)  # (B, T, 3*H)
        state = backward_gates.new_zeros(backward_gates.size(0), self.hidden)
        backward_states, state = recur(
            partial(gru_step, weight=self.backward_state.weight),
            backward_gates,
            state,
            attention_mask,
            backward=True,
        )
        return torch.cat([states, backward_states], dim=-1)  # (B, T, 2*H)


class EncoderBlock(nn.Module):
    """A layer without norms."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.gru = EncoderGru(config)

    def forward(self, x: Tensor, attention_mask: Tensor | None) -> Tensor:
        return self.gru(x, attention_mask)  # (B, T, 2*H)


class Encoder(nn.Module):
    """The encoder stack."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(EncoderBlock(config) for _ in range(config.layers))

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Hidden states (B, T, 2*H) of `input_ids` (B, T)."""
        batch, length = (1, 1, *input_ids.shape)[-2:]  # check_shapes rejects other ranks
        check_shapes((batch, length), input_ids=input_ids, attention_mask=attention_mask)
        if length == 0:
            raise ValueError("input_ids has no tokens; at least one is needed")
        x = self.token_embedding(input_ids)  # (B, T, D)
        for block in self.layers:
            x = block(x, attention_mask)
        return x


class DecoderGru(nn.Module):
    """GRU whose state attends to a memory (Bahdanau et al. 2014, arXiv:1409.0473)."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.layer, self.hidden = layer, config.hidden
        self.initial = nn.Linear(config.hidden, config.hidden)
        self.input = nn.Linear(config.d_model, 3 * config.hidden)
        self.key = nn.Linear(2 * config.hidden, config.head_dim, bias=False)
        self.score = nn.Parameter(torch.ones(1, config.head_dim))
        self.state = nn.Linear(config.hidden, 3 * config.hidden, bias=False)
        self.query = nn.Linear(config.hidden, config.head_dim, bias=False)
        self.context = nn.Linear(2 * config.hidden, 3 * config.hidden, bias=False)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        decoder_attention_mask: Tensor | None,
        memory_mask: Tensor | None,
        cache: Cache | None,
    ) -> Tensor:
        first = torch.tanh(self.initial(memory[:, 0, self.hidden :]))  # (B, H)
        gates = self.input(x)  # (B, T, 3*H)
        if cache is not None and self.layer in cache.memory:
            k, v = cache.memory[self.layer]  # (B, 1, M, E) and (B, 1, M, Dm)
        else:
            k = self.key(memory).unsqueeze(1)  # (B, 1, M, E)
            v = memory.unsqueeze(1)  # (B, 1, M, Dm)
            if cache is not None:
                cache.memory[self.layer] = k, v
        state = None if cache is None else cache.state(self.layer, gates.size(0))
        if state is None:
            state = first
        previous: list[Tensor] = []
        contexts: list[Tensor] = []
        for t in range(gates.size(1)):
            q = self.query(state)[:, None, None]  # (B, 1, 1, E)
            context = additive_attention(q, k, v, memory_mask, self.score)[:, 0, 0]  # (B, Dm)
            previous.append(state)
            contexts.append(context)
            new = gru_step(gates[:, t] + self.context(context), state, weight=self.state.weight)
            state = unless_padding(new, state, decoder_attention_mask, t - gates.size(1))
        if cache is not None:
            cache.set_state(self.layer, state)
        return torch.cat([torch.stack(previous, dim=1), x, torch.stack(contexts, dim=1)], dim=-1)


class DecoderBlock(nn.Module):
    """A layer without norms."""

    def __init__(self, config: Config, layer: int) -> None:
        super().__init__()
        self.gru = DecoderGru(config, layer)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        decoder_attention_mask: Tensor | None,
        memory_mask: Tensor | None,
        cache: Cache | None,
    ) -> Tensor:
        return self.gru(x, memory, decoder_attention_mask, memory_mask, cache)  # (B, T, Dr)


class Decoder(nn.Module):
    """The decoder stack."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(DecoderBlock(config, i) for i in range(config.layers))

    def forward(
        self,
        decoder_input_ids: Tensor,
        memory: Tensor,
        attention_mask: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Hidden states (B, T, Dr) of `decoder_input_ids` (B, T), given `memory` (B, M, 2*H)."""
        batch, length = (1, 1, *decoder_input_ids.shape)[-2:]  # check_shapes rejects other ranks
        start, end = (0, length) if cache is None else (cache.length, cache.length + length)
        check_shapes((batch, length), decoder_input_ids=decoder_input_ids)
        check_shapes((batch, memory.size(1)), attention_mask=attention_mask)
        check_shapes((batch, end), decoder_attention_mask=decoder_attention_mask)
        if length == 0:
            raise ValueError("decoder_input_ids has no tokens; at least one is needed")
        x = self.token_embedding(decoder_input_ids)  # (B, T, D)
        # (B, 1, 1, M): True at tokens that are not padding
        memory_mask = None if attention_mask is None else attention_mask.bool()[:, None, None, :]
        for block in self.layers:
            x = block(x, memory, decoder_attention_mask, memory_mask, cache)
        if cache is not None:
            cache.length = end
        return x


class LanguageModelHead(nn.Module):
    """Language-model head: logits over the vocabulary, from hidden states."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dense = nn.Linear(
            config.hidden + config.d_model + 2 * config.hidden, 2 * config.maxout_width
        )
        self.output = nn.Linear(config.maxout_width, config.vocab_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.dense(x).unflatten(-1, (-1, 2)).amax(-1)  # (B, T, N)
        return self.output(x)  # (B, T, V)


class Rnnsearch(nn.Module):
    """Language model with the head `LanguageModelHead`."""

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config = config or Config()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.head = LanguageModelHead(config)
        self.init_weights()

    def init_weights(self) -> None:
        """Biases to 0, rest normal(0, std)."""
        for name, weight in self.named_parameters():
            if name.endswith(("score", "bias")):
                nn.init.constant_(weight, 1.0 if name.endswith("score") else 0.0)
            else:
                nn.init.normal_(weight, std=self.config.init_std)

    def logits(self, x: Tensor) -> Tensor:
        """Logits over the vocabulary."""
        return self.head(x)  # (B, T, V)

    def forward(
        self,
        input_ids: Tensor,
        decoder_input_ids: Tensor,
        attention_mask: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
    ) -> Tensor:
        """Logits (B, T, V) for `decoder_input_ids` (B, T)."""
        memory = self.encoder(input_ids, attention_mask)
        x = self.decoder(decoder_input_ids, memory, attention_mask, decoder_attention_mask)
        return self.logits(x)  # (B, T, V)

    @staticmethod
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of the labels; -100 in `labels` is ignored."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return F.cross_entropy(logits.flatten(0, -2), labels.flatten())

    @torch.inference_mode()
    def generate(
        self,
        input_ids: Tensor,
        max_new_tokens: int,
        attention_mask: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        decoder_start_token_id: int = 0,
        eos_token_id: int | tuple[int, ...] | Tensor | None = None,
        pad_token_id: int | None = 0,
    ) -> Tensor:
        """Generate up to `max_new_tokens` tokens after the start token, given `input_ids`."""
        tokens = step = input_ids.new_full((input_ids.size(0), 1), decoder_start_token_id)  # (B, 1)
        if not (attention_mask is None or torch.compiler.is_compiling()) and attention_mask.all():
            attention_mask = None  # nothing is padding
        if not (0 <= (top_p or 0) <= 1 and (temperature == 0 or 1e-6 <= temperature <= 1000)):
            raise ValueError(f"{temperature=} must be 0 or 1e-6 to 1000, {top_p=} in [0, 1]")
        if any(type(n) is not int or n < 0 for n in (max_new_tokens, top_k or 0)):
            raise ValueError(f"max_new_tokens, top_k must be ints >= 0: {max_new_tokens}, {top_k}")
        stop = eos_token_id.tolist() if isinstance(eos_token_id, Tensor) else eos_token_id
        stops = stop if isinstance(stop, (tuple, list)) else () if stop is None else (stop,)
        ids = decoder_start_token_id, *stops, pad_token_id if stops else 0
        if any(type(i) is not int or not 0 <= i < self.config.vocab_size for i in ids):
            raise ValueError(f"token ids must be ints in [0, {self.config.vocab_size}), not {ids}")
        cache = Cache(max_new_tokens)  # the start token and all new tokens but the last
        ends = torch.tensor(stops).to(tokens)
        memory = self.encoder(input_ids, attention_mask)  # (B, M, …)
        for _ in range(max_new_tokens):
            done = torch.isin(tokens[:, 1:], ends).any(-1)  # (B,)
            if ends.numel() and not torch.compiler.is_compiling() and done.all():
                break
            x = self.decoder(step, memory, attention_mask, cache=cache)
            token = sample(self.logits(x[:, -1:])[:, -1], temperature, top_k, top_p)  # (B,)
            step = token.masked_fill(done, pad_token_id or 0)[:, None]  # pads finished rows
            tokens = torch.cat([tokens, step], dim=1)
        return tokens


# sha256 of the above: 06dfa99eeaf054ff11bc3359d68cdfd0c5749623cd014467ab3cbb9a19a22f6a

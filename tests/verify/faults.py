"""Faults that are planted, one at a time, in what is emitted or in the reference.

Each says what goes wrong, in which model, and which piece of text becomes which other (everywhere
it stands). They are faults that people make: most of them have been found in somebody's model.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelwright.spec import ModelSpec, load, loads

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

SMALL = """
name: small
family: {family}
vocab_size: 61
max_positions: 48
d_model: 32
layers: 2
attention: {{heads: 4}}
feed_forward: {{d_ff: 40}}
"""
OWN = {
    "documents": SMALL.format(family="decoder-only")
    + "mask: causal & documents\npositions: rotary\nhead: language_model\n",
    "prefix": SMALL.format(family="decoder-only")
    + "mask: causal | prefix\npositions: rotary\nhead: language_model\n",
    "no order": SMALL.format(family="encoder-only") + "head: {type: language_model}\n",
    "pools": SMALL.format(family="encoder-only")
    + "positions: learned\nheads: {a: {type: classifier, classes: 3, pool: mean},"
    " b: {type: projection, size: 5, pool: last}}\n",
    "residuals": SMALL.format(family="decoder-only")
    + "positions: rotary\nresidual: {scale: 0.5, stream_scale: 1.5}\nhead: language_model\n",
    "per layer": SMALL.format(family="decoder-only").replace(
        "heads: 4", "heads: 4, scale: by_layer"
    )
    + "positions: rotary\nhead: language_model\n",
    "alibi of six": SMALL.format(family="decoder-only").replace("heads: 4", "heads: 6, head_dim: 8")
    + "positions: alibi\nhead: language_model\n",
    "lightning": SMALL.format(family="decoder-only")
    .replace("heads: 4", "type: linear, heads: 4, decay: lightning, normalize: false")
    .replace("max_positions: 48", "max_positions: 300")
    + "head: language_model\n",
    "joined": SMALL.format(family="encoder-only")
    + "positions: learned\ninput: [{type: tokens, optional: true}, {type: patches, image_size: 12,"
    " patch_size: 4, optional: true}]\nhead: {type: classifier, classes: 3, pool: mean}\n",
    "limited": SMALL.format(family="decoder-only").replace("heads: 4", "heads: 4, clip_qkv: 0.6")
    + "positions: rotary\nhead: language_model\n",
}


def spec_of(name: str) -> ModelSpec:
    return loads(OWN[name]) if name in OWN else load(EXAMPLES / f"{name}.yaml")


@dataclass(frozen=True)
class Fault:
    """What goes wrong in which model, where this text becomes that one."""

    what: str
    model: str
    old: str
    new: str
    dtype: str = ""  # tried beside float32

    def plant(self, text: str) -> str:
        """The text with the fault. Raises ValueError where there is nothing to change."""
        if self.old not in text:
            raise ValueError(f"{self.what}: `{self.old}` does not stand in {self.model}")
        changed = text.replace(self.old, self.new)
        if changed == text:
            raise ValueError(f"{self.what}: nothing changed in {self.model}")
        return changed


def fault(what: str, model: str, old: str, new: str, dtype: str = "") -> Fault:
    return Fault(what, model, old, new, dtype)


FAULTS: tuple[Fault, ...] = (
    # masks
    fault("window one token too wide", "mistral_7b", "k > q - window", "k >= q - window"),
    fault("window one token too narrow", "mistral_7b", "k > q - window", "k > q - window + 1"),
    fault("band without its boundaries", "modernbert_base", ".abs() <= band", ".abs() < band"),
    fault("attention to the next token", "bloom_560m", "like.device) <= q  #",
          "like.device) <= q + 1  #"),
    fault("global tokens attend to all, but are not attended to", "longformer_base",
          "| global_mask[:, None, None, :].bool()", ""),
    fault("prefix one token too long", "prefix",
          "k - first < prefix_length", "k - first <= prefix_length"),
    fault("attention between documents", "documents",
          "document_ids[:, None, start:stop, None] == document_ids[:, None, None, k]",
          "document_ids[:, None, start:stop, None] >= 0"),
    fault("a tile without the first key of its window", "mistral_7b", "max(0, before), ",
          "max(0, before + 1), "),
    fault("attention to padding", "llama3_8b",
          "mask if attention_mask is None else mask & attention_mask.bool()[:, None, None, :]",
          "mask"),
    fault("cross-attention to padding", "t5_small",
          "self.cross_attention(h, mask, cache=cache, memory=memory)",
          "self.cross_attention(h, None, cache=cache, memory=memory)"),
    fault("attention to padded vectors", "tiny_series",
          "mask = None if attention_mask is None else attention_mask.bool()[:, None, None, :]",
          "mask = None"),
    fault("padded vectors in the mean", "tiny_series", "real = attention_mask[..., None]",
          "real = torch.ones_like(attention_mask)[..., None]"),
    fault("positions of vectors ignored", "tiny_series", "if position_ids is None:", "if True:"),
    fault("cross-attention to padded vectors", "blip2_qformer", "block(x, memory, memory_mask)",
          "block(x, memory, None)"),
    fault("masks of head groups swapped", "sparse_transformer",
          "tiles = [first_tiles, second_tiles]", "tiles = [second_tiles, first_tiles]"),
    fault("random blocks with another seed", "bigbird_base", "seed * 283923481", "seed + 1"),
    # scores
    fault("no scaling of scores", "gpt2", "and mask is None\n        )",
          "and mask is None, scale=1.0\n        )"),
    fault("scaled scores in T5", "t5_small", ", scale=1.0)", ")"),
    fault("no scaling of scores by layer", "per layer", " / (self.layer + 1)", ""),
    fault("no softcap of scores", "gemma2_2b",
          "cap * torch.tanh(groups @ k.transpose(-2, -1) * scale / cap)",
          "groups @ k.transpose(-2, -1) * scale"),
    fault("no softcap of logits", "gemma2_2b", "return cap * torch.tanh(x / cap)",
          "return x"),
    fault("no attention sinks", "gpt_oss_20b", "sinks[:, None, None].type_as(bias)",
          "(sinks[:, None, None] - 1e9).type_as(bias)"),
    fault("key-value heads in the wrong order", "llama3_8b", "q, k, v, attn_mask=mask, is_causal",
          "q, k.repeat(1, 2, 1, 1), v.repeat(1, 2, 1, 1), attn_mask=mask, is_causal"),
    fault("no norm of queries", "qwen3_8b", "self.query_norm(", "("),
    fault("no clipping of queries, keys and values", "limited",
          "layer, config.clip_qkv", "layer, 1e9"),
    fault("cosine scores without normalised queries", "tiny_cosine",
          "q = F.normalize(", "q = (lambda x, dim: x)("),
    # positions
    fault("interleaved instead of half rotation", "llama3_8b",
          "x1, x2 = x.to(cos.dtype).chunk(2, dim=-1)",
          "x1, x2 = x.to(cos.dtype)[..., 0::2], x.to(cos.dtype)[..., 1::2]"),
    fault("rotation in the opposite direction", "gptj_6b",
          "x1 * cos - x2 * sin, x2 * cos + x1 * sin",
          "x1 * cos + x2 * sin, x2 * cos - x1 * sin"),
    fault("no rotation of keys", "deepseek_v3",
          "k_rope = apply_rope_interleaved(self.key_rope(x).unsqueeze(1), cos, sin)",
          "k_rope = self.key_rope(x).unsqueeze(1)"),
    fault("global theta in local layers", "gemma3_1b", "self.config.local_rope_theta",
          "self.config.global_rope_theta"),
    fault("Llama 3 frequency interpolation reversed", "llama3_1_8b", "keep + (1 - keep) / factor",
          "1 - keep + keep / factor"),
    fault("no YaRN scaling of scores", "gpt_oss_20b", "cos * self.config.rope_attention_factor",
          "cos"),
    fault("angles in float32 in a float64 model", "mistral_7b",
          "torch.promote_types(like.dtype, torch.float32)",
          "torch.float32"),
    fault("distance bucket of the wrong sign", "t5_small", "half * (distance > 0)",
          "half * (distance >= 0)"),
    fault("logarithmic buckets start at the wrong distance", "t5_small", "exact = buckets // 2",
          "exact = buckets // 2 + 1"),
    fault("ALiBi slopes of the wrong heads", "alibi of six", "2 ** (-4 * (i + 1) / power)",
          "2 ** (-4 * (i + 2) / power)"),
    fault("ALiBi with the wrong sign", "bloom_560m", "(-scale * slope * distance)",
          "(scale * slope * distance)"),
    fault("RoBERTa position offset one too low", "roberta_base",
          "self.position_embedding(position_ids + 2)", "self.position_embedding(position_ids + 1)"),
    fault("sines and cosines swapped", "transformer_base", "[angle.sin(), angle.cos()]",
          "[angle.cos(), angle.sin()]"),
    fault("relative positions negated", "deberta_v3_base",
          "distance = positions[:, None] - torch.arange(end, device=positions.device)",
          "distance = torch.arange(end, device=positions.device) - positions[:, None]"),
    fault("one bias for content and positions", "xlnet_base", "q = q + self.content_bias",
          "q = q + self.position_bias"),
    fault("registers after the patches", "dinov2_base", "x[:, : self.config.prefix_tokens]",
          "x[:, : self.config.prefix_tokens + 1]"),
    # cache and generation
    fault("cached steps without position offset", "llama3_8b",
          "torch.arange(start, end, device=input_ids.device)",
          "torch.arange(end - start, device=input_ids.device)"),
    fault("cached chunk without a causal mask", "llama3_8b",
          "if attention_mask is None and (start == 0 or end - start == 1):",
          "if attention_mask is None:"),
    fault("cache writes one position too early", "gpt2",
          "keys[..., self.length : end, :], values",
          "keys[..., max(self.length - 1, 0) : max(self.length - 1, 0) + k.size(-2), :], values"),
    fault("cache stores keys before rotation", "mistral_7b",
          "k, v = cache.append(self.layer, k, v, self.kept)",
          "k, v = cache.append(self.layer, self.key(x).unflatten(-1, "
          "(-1, self.head_dim)).transpose(1, 2), v, self.kept)"),
    fault("positions in generate ignore padding", "gpt2",
          "position_ids = (mask.bool().cumsum(-1) - 1).clamp(min=0)[:, -step.size(1) :]",
          "position_ids = None"),
    fault("generate without its padding mask", "bloom_560m",
          "mask = F.pad(attention_mask, (0, tokens.size(1) - input_ids.size(1)), value=1)",
          "mask = torch.ones_like(tokens)"),
    # norms, feed-forwards, residuals
    fault("eps of 1e-6", "llama3_8b", "eps: float = 1e-5", "eps: float = 1e-6"),
    fault("exact GELU instead of tanh", "gpt2", ', approximate="tanh"', ""),
    fault("tanh GELU instead of exact", "bert_base", "F.gelu(self.up(x))",
          'F.gelu(self.up(x), approximate="tanh")'),
    fault("norm after the branch instead of before", "gpt2",
          "self.feed_forward(self.feed_forward_norm(x))",
          "self.feed_forward_norm(self.feed_forward(x))"),
    fault("norm before the residual addition", "bert_base",
          "self.attention_norm(x + self.dropout(self.attention(x, mask)))",
          "(x + self.attention_norm(self.dropout(self.attention(x, mask))))"),
    fault("norm weight without its offset of 1", "gemma3_1b", "1 + self.weight",
          "self.weight"),
    fault("parallel branch reads the sum", "gptj_6b", "self.feed_forward(h)",
          "self.feed_forward(x + h)"),
    fault("gate and up swapped", "llama3_8b", "F.silu(self.gate(x)) * self.up(x)",
          "F.silu(self.up(x)) * self.gate(x)"),
    fault("no residual scale", "residuals", " * self.residual_scale", ""),
    fault("no layer scale", "dinov2_base", " * self.attention_scale", ""),
    # experts
    fault("routing weights not normalised", "deepseek_v3",
          " / (weights.sum(-1, keepdim=True) + 1e-20)", ""),
    fault("routing weights normalised", "olmoe_1b_7b", "(y * weights[..., None])",
          "(y * (weights / weights.sum(-1, keepdim=True))[..., None])"),
    fault("group score of the best expert only", "deepseek_v3",
          "grouped.topk(members).values.sum(-1)", "grouped.amax(-1)"),
    fault("no gate of the shared expert", "qwen1_5_moe_a2_7b",
          "gate * self.shared_expert(x)", "self.shared_expert(x)"),
    fault("no bias in experts", "gpt_oss_20b",
          " + self.down_bias[expert]", ""),
    fault("no clamp in experts", "gpt_oss_20b", "gate.clamp(max=self.clamp)", "gate"),
    # inputs and heads
    fault("no token type embeddings", "bert_base",
          " + self.token_type_embedding(token_type_ids)", ""),
    fault("no scaling of embeddings", "gemma3_1b", " * math.sqrt(self.config.d_model)", ""),
    fault("head not tied to the embedding", "gpt2",
          "return F.linear(x, self.token_embedding.weight)",
          "return F.linear(x, self.token_embedding.weight.clone().flip(0))"),
    fault("head with its own weight", "gpt2", "        self.init_weights()\n\n",
          "        self.head = nn.Linear(config.d_model, config.vocab_size)\n"
          "        self.init_weights()\n\n"),
    fault("mean pool includes padding", "pools", "real = attention_mask[..., None].type_as(x)",
          "real = torch.ones_like(attention_mask[..., None]).type_as(x)"),
    fault("last pool takes the last index, not the last token", "pools", "position.argmax(-1)",
          "-1"),
    fault("output dtype wider than the weights", "llama3_8b", "return self.head(x)",
          "return self.head(x).to(torch.promote_types(x.dtype, torch.float32))", "bfloat16"),
    # training
    fault("dropout in eval mode", "gpt2", "self.dropout if self.training else 0.0", "self.dropout"),
    fault("no dropout in training", "bert_base", "nn.Dropout(config.dropout)", "nn.Dropout(0.0)"),
    fault("labels not shifted", "gpt2", "labels[:, 1:].flatten()", "labels[:, :-1].flatten()"),
    fault("values without a gradient", "gpt2", "v = self.value(x)", "v = self.value(x).detach()"),
    fault("norm weights initialised to 0", "llama3_8b", "nn.init.ones_(weight)",
          "nn.init.zeros_(weight)"),
    fault("no depth scaling of the initialisation", "gpt2",
          " * (2 * self.config.layers) ** -0.5", " * 3"),
    fault("weights not initialised", "t5_small",
          "else:\n                nn.init.normal_(weight, std=self.config.init_std)",
          'elif "embedding" not in name:\n                nn.init.normal_(weight)'),
    fault("a buffer in the state dict", "gpt2", "        self.init_weights()\n\n",
          '        self.register_buffer("seen", torch.zeros(1))\n        self.init_weights()\n\n'),
    # generation, by scores that are fixed
    fault("logits multiplied by the temperature", "gpt2", "/ temperature", "* temperature"),
    fault("top-p keeps one token too many", "gpt2",
          ".cumsum(-1) - ranked.softmax(-1)", ".cumsum(-1) - 2 * ranked.softmax(-1)"),
    fault("no padding after the end token", "gpt2", "token.masked_fill(done, pad_token_id or 0)",
          "token"),
    fault("generation continues after the end token", "gpt2",
          "ends).any(-1)", "ends)[:, -1:].any(-1)"),
    # errors, costs
    fault("cache overflow without an error", "gpt2", "if end > self.capacity:", "if end > 10**9:"),
    fault("queries computed twice", "gpt2", "q = self.query(x).unflatten",
          "q = (self.query(x) + 0 * self.query(x)).unflatten"),
    # thresholds, precision, gradients
    fault("linear attention forgets all chunks but the last", "tiny_linear",
          "state = state + ks.mT @ vs", "state = ks.mT @ vs"),
    fault("decay of distant chunks applied twice", "lightning", "torch.exp(-rates * n) * state",
          "torch.exp(-2 * rates * n) * state"),
    fault("angles in bfloat16", "llama3_8b",
          "torch.promote_types(like.dtype, torch.float32)", "like.dtype"),
    fault("router in bfloat16", "mixtral_8x7b",
          "F.linear(input.to(dtype), self.weight.to(dtype))", "F.linear(input, self.weight)"),
    fault("gradient of experts doubled", "mixtral_8x7b",
          "torch.cat([F.linear(part, w) for", "torch.cat([F.linear(part, 2 * w - w.detach()) for"),
    # the file
    fault("constant instead of a Config field", "gpt2", "range(config.layers)", "range(2)"),
    fault("number of the spec in a derived one", "gpt_oss_20b",
          "math.log(max(self.rope_factor, 1))", "math.log(32)"),
    fault("embedding registered twice", "gpt2", "        self.init_weights()\n\n",
          "        self.again = self.token_embedding.weight\n        self.init_weights()\n\n"),
    # fresh weights, dropout, losses
    fault("uniform instead of normal initialisation", "gpt2",
          "nn.init.normal_(weight, std=self.config.init_std)",
          "nn.init.uniform_(weight, -(3**0.5) * 0.02, 3**0.5 * 0.02)"),
    fault("dropout before positions are added", "gpt2",
          "self.token_embedding(input_ids) + self.position_embedding(position_ids)",
          "self.dropout(self.token_embedding(input_ids)) + self.position_embedding(position_ids)"),
    fault("contrastive loss over rows only", "clip_vit_b32",
          "F.cross_entropy(scores.T, labels)", "F.cross_entropy(scores, labels)"),
    fault("an absent input leaves an empty vector", "joined",
          "given = [x for x in inputs if x is not None]",
          "first = next(x for x in inputs if x is not None)\n"
          "    given = [0 * first[:, :1] if x is None else x for x in inputs]"),
    # what torch makes of it
    fault("compiled linear attention decays by one token less", "tiny_lightning",
          "from_end = torch.exp(-rates * (position + 1))",
          "from_end = torch.exp(-rates * position)"),
    fault("positions in a model without positions", "no order",
          "x = self.token_embedding(input_ids)",
          "x = self.token_embedding(input_ids)\n"
          "        x = x * x.new_ones(x.size(1), 1).cumsum(0)"),
    fault("data-dependent branch", "gpt2", "self.norm(x)",
          "self.norm(2 * x if bool(x.sum() > 1e9) else x)"),
    fault("fixed sequence length", "bigbird_base", "blocks = (end - 1) // size + 1",
          "blocks = int(end - 1) // size + 1"),
)  # fmt: skip


@dataclass(frozen=True)
class DocumentFault(Fault):
    """What a document would have to say for the spec to be right: a mistake of resolution."""


DOCUMENT_FAULTS: tuple[DocumentFault, ...] = (
    DocumentFault("spec: a block keeps the value of its stack", "gemma3_1b",
                  "type: rotary, theta: 1e6", "type: rotary, theta: 5e5"),
    DocumentFault("spec: pattern starts one layer late", "gemma3_1b",
                  "pattern: [local * 5, global]", "pattern: [global, local * 5]"),
    DocumentFault("spec: override one layer too short", "deepseek_v3", "0..2: dense",
                  "0..3: dense"),
)  # fmt: skip


@dataclass(frozen=True)
class ReferenceFault(Fault):
    """A fault of the reference: the function of one kind of op, in one of its files."""

    kind: str = ""
    file: str = ""


def of_reference(what: str, model: str, kind: str, file: str, old: str, new: str) -> ReferenceFault:
    return ReferenceFault(what, model, old, new, "", kind, file)


REFERENCE_FAULTS: tuple[ReferenceFault, ...] = (
    of_reference("reference: tanh of GELU off by 0.1 %", "gpt2", "activation", "arithmetic",
                 "0.5 * x * (1 + np.tanh(", "0.5 * x * (1 + 0.999 * np.tanh("),
    of_reference("reference: eps outside the square root", "llama3_8b", "rms_norm",
                 "arithmetic", "np.sqrt(square + call.value(\"eps\"))",
                 "(np.sqrt(square) + call.value(\"eps\"))"),
    of_reference("reference: window one token too wide", "mistral_7b", "mask", "masks",
                 "pairs.queries - n < pairs.keys", "pairs.queries - n <= pairs.keys"),
    of_reference("reference: key-value heads in the wrong order", "llama3_8b",
                 "attend", "attention",
                 "shared = h // (heads // key_heads)", "shared = h % key_heads"),
    of_reference("reference: rotation in the opposite direction", "gptj_6b", "rotate", "rotary",
                 "x[..., first] * cos - x[..., second] * sin",
                 "x[..., first] * cos + x[..., second] * sin"),
    of_reference("reference: distance bucket of the wrong sign", "t5_small", "relative_buckets",
                 "positions", "start = buckets if distance > 0 else 0",
                 "start = buckets if distance >= 0 else 0"),
    of_reference("reference: attention sinks with values", "gpt_oss_20b", "attend", "attention",
                 "softmax(scores)[:, :keys]", "softmax(scores[:, :keys])"),
    of_reference("reference: patches in column-major order", "vit_b16", "patchify", "images",
                 "top : top + width, left : left + width]",
                 "left : left + width, top : top + width]"),
)  # fmt: skip

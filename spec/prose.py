"""The parts of the reference that are no tables."""

from __future__ import annotations

BEFORE = """\
# The spec language

*This page is printed from the schema by `modelwright schema --markdown`: change the docstrings in
`spec/`, not this file.*

A spec is one YAML document that describes one model. It is short for the ordinary case, strict
everywhere, and readable without this page:

```yaml
name: gpt2
family: decoder-only
vocab_size: 50257
max_positions: 1024
d_model: 768
layers: 12
dropout: 0.1
positions: learned
attention: {heads: 12}
feed_forward: {activation: gelu_tanh}
head: {type: language_model, tied: true}
```

## Five rules

1. **A word is a type.** Where a component stands, a word means `{type: word}`: `norm: rmsnorm` is
   `norm: {type: rmsnorm}`. There is no other shorthand. A missing `type` is the one printed
   **bold** below. `none` is a type too: it switches a part off.
2. **Outside is the default for inside.** Levels nest: *model ⊃ stack ⊃ block ⊃ component*. Any key
   of an inner level may be written at an outer one and then holds for everything within, until an
   inner level says otherwise. So a model with one stack needs no stack section, and an encoder and
   a decoder that agree say it once.
3. **One merge.** Wherever two things meet (outer and inner level, `extends`, `--set`, a named
   block): mappings merge key by key, anything else replaces, and **a new `type` starts afresh**:
   nothing of the old type's options survives, and `check` says what was dropped.
4. **Who reads says from where.** There is no wiring section. A cross-attention names its `memory`,
   an input its `stack` or `argument`, a head its `stack`, a tie its source. Nothing may go in a
   circle.
5. **Which and where are different keys.** `norm` says *which* normalisation; `norm_placement`,
   `final_norm`, `input.normalize` and `qk_norm` say *where* one stands. `positions` and `mask`
   stand beside `attention`, not inside it, so that changing the attention can never lose them.

Unknown keys are refused. Nothing is inferred from a name. `null` is refused: write `none`.

## Levels

`↑` is: taken from the enclosing level. *Not yet* is: in the language, and refused by this version.
"""

LEVELS = {
    "model": """\
### Model

| family | means |
|---|---|
| `decoder-only` | `stacks: {decoder: {mask: causal}}` |
| `encoder-only` | `stacks: {encoder: {mask: full}}` |
| `encoder-decoder` | `stacks: {encoder: {mask: full}, decoder: {mask: causal, cross_attention: \
{memory: encoder}, input: {argument: decoder_input_ids}}}` |

A spec says either `family`, and refines its stacks with `encoder` and `decoder`, or `stacks`. The
family is the outermost level, so anything overrides it.
""",
    "stack": """\
### Stack

All keys of a stack, and of a block, may also stand at the model.
""",
    "block": """\
### Block

All keys of a block may also stand in the stack, or at the model. What acts on the input (learned
and sinusoidal positions) belongs to the stack and is taken from there.
""",
    "components": "The default type of each is **bold**.\n",
    "masks": """\
A mask is a formula over atoms with `&`, `|`, `~` and parentheses; `&` binds tighter than `|`. It
admits pairs of a query *q* and a key *k*, both counted from 0 over all tokens seen so far. Inside
`{…}` or `[…]` a formula with a comma must stand in quotes. No query sees a key that
`attention_mask` hides; a query that sees no key takes nothing: zeros.
""",
    "words": "A key of another library gets its place here named:\n",
}

AFTER = """\
Padding is seen by no query. `fixed`, `blocks` and `prefix` count from the first token of a row that
`attention_mask` admits, all others from the first token of the row. `random` gives each pair of a
block i of queries and a block j of keys a number: x = (92837111 i XOR 689287499 j XOR 283923481 s)
AND 0x7FFFFFFF, then twice x = 48271 x mod 2147483647. The queries of block i see the m blocks j
with the smallest x, of equal ones the first.

Longformer is `band(256) | global(given)`, BigBird `blocks(64, 1) | global(0:64) | global(-64:) |
random(64, 3)`, PaliGemma `causal | prefix`, Llama 4 `causal & blocks(8192)`. `window` and `band`
are two atoms on purpose: checkpoints count both ways, and one name for both is the commonest
off-by-one of the field. `check` warns when a decoder sees the future or an encoder one side only.

## Arguments

A stack that reads `input_ids` may be given `attention_mask` and `position_ids` (B, T), and what its
masks ask for: `document_ids`, `prefix_length`, `global_mask`. With `decoder_input_ids` they begin
with `decoder_`, with `text_ids` with `text_`; a stack that reads vectors gives them its own name,
in a model of several stacks. Left out, all tokens are real, they belong to one document, the prefix
is 0 long, no token is global, and positions are 0, 1, 2 … . Positions do not follow padding by
themselves: of texts that are padded on the left, say their `position_ids`. Distances (ALiBi,
`relative_bias`, masks …) are always those of places in the row, not of `position_ids`.

## Layers that differ

```yaml
layers: 26                                     # Gemma 3
blocks:
  local:  {mask: causal & window(512), positions: {type: rotary, theta: 10000}}
  global: {mask: causal, positions: {type: rotary, theta: 1e6}}
pattern: [local * 5, global]                   # repeated and cut: 26 layers end with local, local
```

`pattern` is for what repeats, `overrides` for exceptions: `overrides: {0..2: dense, -1: {norm:
none}}`. An override is the name of a block, or a block that goes on top of the one that stands
there. With overrides alone, every other layer is the stack's own, unnamed block. `share: true` on a
block gives all its layers the same weights.

## Variants

`extends: base.yaml` puts this document on top of that one, by rule 3; `name` is not inherited. A
stack's `extends: clip.yaml#vision` takes that stack with the outer levels of its own file. Paths
are relative to the file and stay in the folder of the spec.

`--set decoder.layers=6 --set positions=alibi --set overrides.0=none` writes one key each, after
`extends` and before levels are resolved; the value is YAML. An element of `blocks`, `heads`,
`stacks`, `overrides` or `add` that is `none` is removed.

Order, weakest first: family, model, stack, named block, override.

## YAML as read

Only `true` and `false` are booleans; `on`, `no`, `12:30`, dates and octals are words; `1e6` and
`1e-5` are numbers, and a whole one may stand where an integer is asked. Duplicate keys, tags,
anchors, aliases, `<<`, directives and control characters are refused. A spec is at most 65,536
characters, 10,000 values and 32 levels.

The order of keys has no meaning, with one exception: `stacks`, `heads` and the entries of `add` are
arguments and outputs of the model in the order in which they are written. So specs that differ only
in the order of other keys, in flow or block style, in how a number is written (`1e-5`, `0.00001`),
or in defaults that are written out give the same file. A derived size that is written as a number
(`head_dim: 64`) is another spec: its code is the same, and the hash in the file differs.

## From Python

```python
import modelwright as mw
from modelwright.spec import Block, ModelSpec, Stack
from modelwright.spec.attention import Mha
from modelwright.spec.head import LanguageModel

block = Block(attention=Mha(heads=2), mask="causal")
stack = Stack(layers=2, d_model=8, vocab_size=9, blocks={"block": block}, order=["block", "block"])
spec = ModelSpec(name="x", stacks={"decoder": stack}, heads={"head": LanguageModel()})

same = mw.from_data(
    {
        "name": "x",
        "stacks": {"decoder": {"mask": "causal"}},
        "layers": 2,
        "d_model": 8,
        "vocab_size": 9,
        "attention": {"heads": 2},
        "head": "language_model",
    }
)
assert same == spec == mw.loads(mw.to_yaml(spec))
```

Levels are resolved as in YAML. `ModelSpec` raises pydantic's `ValidationError`; `mw.load`,
`mw.loads` and `mw.from_data` raise `mw.SpecErrors` with the place of each error.
`mw.loads(text, folder="specs")` reads the files that `extends` names from that folder.
"""

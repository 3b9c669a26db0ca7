"""The text of the language reference outside of tables."""

from __future__ import annotations

BEFORE = """\
# The spec language

*This page is printed from the schema by `modelwright schema --markdown`: change the docstrings in
`spec/`, not this file.*

A spec is a YAML document that describes one model. Most keys have defaults, unknown keys are
errors, and ordinary models need a dozen lines:

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

1. **A component has a type.** The value of a component (`norm`, `attention`, …) is a mapping with a
   `type`. A single word is short for a mapping: `norm: rmsnorm` means `norm: {type: rmsnorm}`. The
   default type is printed **bold** below. `none` turns a component off.
2. **Outer levels are defaults for inner ones.** The levels are *model ⊃ stack ⊃ block ⊃ component*.
   A key may be written at its own level or at any outer one. There it is the default of everything
   inside. So a model with one stack needs no section for it, and an encoder and a decoder share
   what is written at the top.
3. **Mappings are merged, other values are replaced.** This is how an inner level changes an outer
   one, and how `extends`, `--set` and named blocks work. Mappings are merged key by key, but a
   mapping with **a different `type` replaces the whole mapping**: options of the old type are
   dropped, and `check` lists them. A value is an error if every inner level overrides it, since it
   has no effect. Values from an extended file, or overridden with `--set`, are exempt. Repeating
   a value that applies anyway is not an error.
4. **References point to the source.** Cross-attention names the stack it attends to (`memory`), an
   input its `argument` or `stack`, a head its `stack`, and a tied embedding the stack that has the
   table. Circular references are errors.
5. **The kind of a norm and its place are separate keys.** `norm` chooses the normalisation;
   `norm_placement`, `final_norm`, `input.normalize` and `qk_norm` choose where one is applied. In
   the same way, `positions` and `mask` are not options of `attention`, so they are kept when its
   type changes.

Unknown keys are errors, and so is `null`; write `none`. Nothing is inferred from names.

## Levels

In the column of defaults, `↑` means the value of the enclosing level. *Not yet* marks keys and
types that are reserved for a later version; using one is an error.
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

A spec has either `stacks` or a `family`. With a family, the keys `encoder` and `decoder` change its
stacks. Everything in the spec overrides what the family sets.
""",
    "stack": """\
### Stack

All keys of a stack and of a block may also be written at the top level.
""",
    "block": """\
### Block

All keys of a block may also be written in the stack or at the top level. Learned and sinusoidal
positions act on the input of the stack, so they cannot be set in a block.
""",
    "components": "The default type of each component is **bold**.\n",
    "masks": """\
A mask is a formula of the predicates below, with `&` (and), `|` (or), `~` (not) and parentheses;
`&` binds tighter than `|`. A query at index *q* may attend to a key at index *k* if the formula is
true; indices count from 0 over all tokens, including cached ones. No query attends to padding (0 in
`attention_mask`). The attention output of a query that may attend to no key is zero. Within `{…}`
or `[…]`, a formula that contains a comma must be quoted.

A formula is simplified before it is compiled: `causal & full`, `~~causal`, `causal | window(4)`
and `[causal, causal]` are compiled as `causal`. `check` warns if a shorter formula means the same.
Order, parentheses, negation (`~(~a | ~b)`) and distribution (`a & b | a & c`) do not change the
file. Numbers do, because they are fields of `Config`: `band(4)` has one, `band(4, 4)` two.
It is an error if no query can attend to any key, as in `causal & ~causal`, or if a number makes no
difference, as 9 in `causal & band(4, 9)`.
""",
    "words": "Names that other libraries use, and what to write here. Errors suggest the same.\n",
}

AFTER = """\
In `fixed`, `blocks` and `prefix`, indices count from the first token of a sequence that is not
padding; in all others, padding counts too. For `random`, each pair of a query block i and a key
block j has a pseudo-random number x: start with x = (92837111 i XOR 689287499 j XOR 283923481 s)
AND 0x7FFFFFFF, then apply x = 48271 x mod 2147483647 twice. The queries of block i attend to the m
key blocks with the smallest x; ties go to the lower j.

Longformer is `band(256) | global(given)`, BigBird `blocks(64, 1) | global(0:64) | global(-64:) |
random(64, 3)`, PaliGemma `causal | prefix`, Llama 4 `causal & blocks(8192)`. `window(n)` counts the
query itself and `band(n)` does not: published models use both conventions, a frequent source of
off-by-one errors. `check` warns if a decoder is not causal or an encoder is.

## Arguments

A stack that reads `input_ids` also takes the optional arguments `attention_mask` and `position_ids`
(B, T), and those that its masks need: `document_ids`, `prefix_length`, `global_mask`. Their names
have the same prefix as the stack's input: `decoder_` for `decoder_input_ids`, `text_` for
`text_ids`. If a model has several stacks and one of them reads vectors, the prefix of its arguments
is the name of the stack.

If they are not passed, there is no padding, one document, no prefix and no global token, and
positions are 0, 1, 2, … in each row. Without `skip_padding`, positions do not depend on
`attention_mask`: for sequences padded on the left, pass `position_ids`. Distances (ALiBi,
`relative_bias`, masks, …) are differences of indices in the row, not of `position_ids`.

A batch may be empty, and so may sequences, unless a pool, a convolution in a layer or the loop of a
recurrence needs a token: that is a ValueError.

## Layers that differ

```yaml
layers: 26                                     # Gemma 3
blocks:
  local:  {mask: causal & window(512), positions: {type: rotary, theta: 10000}}
  global: {mask: causal, positions: {type: rotary, theta: 1e6}}
pattern: [local * 5, global]                   # repeated and cut: 26 layers end with local, local
```

`pattern` is a list of block names, repeated for all layers; `overrides` are exceptions for single
layers or ranges: `overrides: {0..2: dense, -1: {norm: none}}`. An override is the name of a block,
which replaces the block of the layer, or a mapping, which is merged into it. Without `pattern`, all
layers without an override have the keys of the stack itself. With `share: true`, all layers of a
block share their weights.

Layers without positions (NoPE; Kazemnejad et al., 2023, arXiv:2305.19466) are a block too. Here it
is every fourth layer, as in SmolLM3:

```yaml
mask: causal
blocks:
  rope:   {positions: {type: rotary, theta: 2e6}}
  nope:   {positions: none}
pattern: [rope * 3, nope]
```

A Universal Transformer (Dehghani et al., 2018, arXiv:1807.03819) repeats one layer and adds an
encoding of the step to its input:

```yaml
layers: 6
share: true
positions: coordinate
norm_placement: post
```

## Variants

`extends: base.yaml` starts from that file and merges this document into it by rule 3; `name` is not
inherited. In a stack, `extends: clip.yaml#vision` starts from the stack `vision` of that file,
including the values of its outer levels. Paths are relative to the file and must be inside the
folder of the spec.

`--set decoder.layers=6 --set positions=alibi --set overrides.0=none` sets one key each; the value
is YAML. It is applied after `extends` and before the levels are resolved. To remove an element of
`blocks`, `heads`, `stacks`, `overrides` or `add`, set it to `none`.

Precedence, lowest first: family, model, stack, named block, override.

## YAML as read

Only `true` and `false` are booleans; `on`, `no`, `12:30`, dates and octals are strings. `1e6` and
`1e-5` are numbers, and `1e6` may be used where an integer is expected. Duplicate keys, tags,
anchors, aliases, `<<`, directives and control characters are errors. A spec can have at most 65,536
characters, 10,000 values and 32 levels of nesting.

The order of keys does not matter, with one exception: `stacks`, `heads` and the entries of `add`
determine the order of the model's arguments and outputs. Two specs give the same file if they
differ only in the order of other keys, in flow or block style, in the form of a number (`1e-5`,
`0.00001`), or in defaults that are written out. Writing a derived size as a number (`head_dim: 64`)
gives the same code with a different hash of the spec.

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
`mw.loads` and `mw.from_data` raise `mw.SpecErrors` with the location of each error.
`mw.loads(text, folder="specs")` looks in that folder for the files named by `extends`.
"""

"""Recurrent layers."""

from __future__ import annotations

from .base import Variation

ATTENTIVE = """
name: attentive
vocab_size: 31
d_model: 16
layers: 1
norm: none
residual: none
stacks:
  source:
    input: {argument: source_ids}
    sublayers: [{type: gru, hidden: 6, bidirectional: true, output: none}]
  target:
    input: {argument: input_ids}
    sublayers:
      - type: gru
        hidden: 7
        initial: {memory: source, direction: backward}
        attention:
          {memory: source, heads: 1, head_dim: 5, score: additive, value: none, output: none}
        result: [previous_state, input, context]
        output: none
head: {type: language_model, stack: target, transform: {type: maxout, hidden: 9}}
"""

LSTM = """
name: long-short
vocab_size: 31
d_model: 16
layers: 2
stacks:
  source:
    layers: 1
    residual: none
    input: {argument: source_ids}
    sublayers: [{type: lstm, hidden: 6, output: none}]
  target:
    input: {argument: input_ids}
    sublayers:
      - type: lstm
        hidden: 5
        initial: {memory: source}
        attention: {memory: source, heads: 1, value: none, output: none, scale: 0.3}
        result: [state, context]
      - {type: mlp, d_ff: 12}
head:
  type: language_model
  stack: target
  tied: true
  transform: {type: maxout, hidden: 16, bias: false}
"""

ENCODER = """
name: small
family: encoder-only
vocab_size: 31
d_model: 16
layers: 2
sublayers: [{type: gru, hidden: 7, bidirectional: true}]
head: language_model
"""

DECODER = """
name: small
family: decoder-only
vocab_size: 31
d_model: 16
layers: 2
sublayers: [{type: gru, hidden: 7}]
head: language_model
"""

ROWS: dict[str, Variation] = {
    "recurrence_attentive": Variation(ATTENTIVE),
    "recurrence_lstm_attentive": Variation(LSTM),
    "recurrence_both_ways": Variation(ENCODER),
    "recurrence_lstm_both_ways": Variation(
        ENCODER, ("sublayers=[{type: lstm, hidden: 7, bidirectional: true}, {type: mlp}]",)
    ),
    "recurrence": Variation(DECODER),
    "recurrence_lstm": Variation(DECODER, ("sublayers=[{type: lstm, hidden: 5, bias: false}]",)),
    "recurrence_reset_after": Variation(
        DECODER, ("sublayers=[{type: gru, hidden: 7, reset: after}, {type: mha, heads: 2}]",)
    ),
    "recurrence_of_a_cell": Variation(
        DECODER, ("sublayers=[{type: lstm, hidden: 5, result: [state, previous_state, input]}]",)
    ),
    "attention_without_values": Variation(
        DECODER, ("sublayers=[{type: mha, heads: 1, value: none}, {type: gru, hidden: 16}]",)
    ),
    "attention_without_output": Variation(
        DECODER, ("sublayers=[{type: mha, heads: 2, output: none}, {type: mlp}]",)
    ),
}

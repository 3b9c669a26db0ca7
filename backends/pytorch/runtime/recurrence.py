"""Steps of recurrent layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F


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


def gru_step_reset_after(
    x: Tensor, state: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """The next state (B, H) of a GRU whose reset gate multiplies after the matrix (cuDNN's).

    x (B, 3H) is what the inputs add to the reset gate, the update gate and the candidate.
    """
    given = zip(x.chunk(3, dim=1), F.linear(state, weight, bias).chunk(3, dim=1), strict=True)
    (x1, s1), (x2, s2), (x3, s3) = given
    reset, update = torch.sigmoid(x1 + s1), torch.sigmoid(x2 + s2)
    return (1 - update) * state + update * torch.tanh(x3 + reset * s3)


def lstm_step(x: Tensor, state: Tensor, weight: Tensor) -> Tensor:
    """The next state and cell, concatenated (B, 2H), of an LSTM (Gers et al. 2000).

    x (B, 4H) is what the inputs add to input gate, forget gate, candidate and output gate.
    """
    hidden, cell = state.chunk(2, dim=1)
    enter, forget, new, leave = (x + F.linear(hidden, weight)).chunk(4, dim=1)
    cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(new)
    return torch.cat([torch.sigmoid(leave) * torch.tanh(cell), cell], dim=1)


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

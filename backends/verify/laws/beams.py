"""The law `beams`: beam search equals a search that computes every text anew."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...pytorch import BuildError, BuildOptions, emit_file
from ..arguments import Array, Data
from ..measure import Largest, Measured, NotHere, as_array
from ..subject import Subject
from .cached import reading_stream
from .generating import given_prompt, row_alone
from .padding import moved_by_padding
from .sight import CROWDED, crowded

NEW_TOKENS = 6
SETTINGS = ((3, 0.8, 0), (4, 4.0, 5), (3, 4.0, 3), (4, 2.0, 5), (5, 2.0, 3), (1, 0.0, 0))
"""Number of beams; length penalty; which ids end texts: every fifth or third, or for 0 two of the
best text."""

TIE = 1e-5
"""Scores that differ by less may be in any order: the file adds them in float32."""


def beams(subject: Subject) -> Measured | NotHere:
    """The texts found have the scores of those found without a cache, in plain and padded rows.

    Logits are scattered, so that every text continues differently; many tokens end a text.
    """
    if crowded(subject):
        return NotHere(CROWDED)
    try:
        text = emit_file(subject.graph, BuildOptions(beam_search=True)).text
    except BuildError as error:
        return NotHere(str(error))
    if subject.arguments.limit(reading_stream(subject).ids) < NEW_TOKENS:
        return NotHere("sequences are too short to generate more")
    model: Any = replace(subject, text=text).fresh()
    usual, wanted = model.logits, inspect.signature(model.beam_search).parameters
    vars(model)["logits"] = lambda x: scattered(usual(x))
    largest = Largest(TIE)
    for case in ("plain", "padded right"):
        if case != "plain" and moved_by_padding(subject, "right"):
            continue
        data = subject.data(case)
        rows = [row_alone(subject, data, row, wanted, NEW_TOKENS)[0] for row in range(2)]
        for count, penalty, each in SETTINGS:
            search = _Search(subject, count, penalty)
            size = reading_stream(subject).rows
            ends = [*range(1, size, each)] if each else search.best(rows[0], [])[2:4]
            given: dict[str, Any] = given_prompt(subject, data, wanted)
            given |= {"beams": count, "length_penalty": penalty, "max_new_tokens": NEW_TOKENS}
            with torch.no_grad():
                found = model.beam_search(**given, eos_token_id=[*{*ends}], pad_token_id=ends[0])
            for row, tokens in enumerate(found[:, 1:].tolist()):
                where = f"{case}: row {row}, {count} beams, penalty {penalty}"
                first = next((i for i, token in enumerate(tokens) if token in ends), len(tokens))
                if set(tokens[first + 1 :]) - {ends[0]}:
                    largest.take(float("inf"), f"{where} has tokens after its end")
                best = search.score(rows[row], search.best(rows[row], ends))
                largest.take(abs(best - search.score(rows[row], tokens[: first + 1])), where)
    return largest.measured()


def scattered(logits: Tensor) -> Tensor:
    """Other logits, which small changes of the given ones change much."""
    return 3 * torch.sin(40 * logits)


class _Search:
    """Beam search for single rows, which computes all tokens of each text in every step."""

    def __init__(self, subject: Subject, beams: int, penalty: float) -> None:
        self.subject, self.beams, self.penalty = subject, beams, penalty

    def best(self, row: Data, ends: list[int]) -> list[int]:
        """The best text, without the start token."""
        live: list[tuple[float, list[int]]] = [(0.0, [])]
        done: list[tuple[float, list[int]]] = []
        for length in range(1, NEW_TOKENS + 1):
            rows = self._logarithms(row, [text for _, text in live])[:, -1]
            longer = [
                (score + float(each), [*text, token])
                for (score, text), new in zip(live, rows, strict=True)
                for token, each in enumerate(new)
            ]
            longer = sorted(longer, key=lambda one: -one[0])[: 2 * self.beams]
            live = []
            for place, (score, text) in enumerate(longer):
                if length < NEW_TOKENS and text[-1] not in ends:
                    live.append((score, text))
                elif place < self.beams:  # others are less likely than a beam that goes on
                    done.append((score / self._factor(length), text))
            live = live[: self.beams]
            done = sorted(done, key=lambda one: -one[0])[: self.beams]
            reach = live[0][0] / self._factor(NEW_TOKENS) if live else -np.inf
            if len(done) == self.beams and done[-1][0] >= reach:
                break
        return done[0][1]

    def score(self, row: Data, text: list[int]) -> float:
        """The sum of a text's logarithms, over its length penalty."""
        rows = self._logarithms(row, [text[:-1]])[0, -len(text) :]
        each = [float(new[token]) for new, token in zip(rows, text, strict=True)]
        return sum(each) / self._factor(len(text))

    def _logarithms(self, row: Data, texts: list[list[int]]) -> Array:
        """The logarithms of the probabilities (N, T, V) of each next token of N texts."""
        ids, count = reading_stream(self.subject).ids, len(texts)
        data: Mapping[str, Array] = {name: np.repeat(x, count, axis=0) for name, x in row.items()}
        new = np.array(texts, np.int64).reshape(count, -1)
        tokens = np.concatenate([data[ids], new], axis=1)
        (logits,) = self.subject.results({**data, ids: tokens}).values()
        return as_array(scattered(logits).log_softmax(-1))

    def _factor(self, length: int) -> float:
        return float(((5 + length) / 6) ** self.penalty)

"""The law `beams`: beam search equals a search that computes every text anew."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ...pytorch import BuildError, BuildOptions, emit_file
from ..arguments import Array, Data
from ..measure import Largest, Measured, NotHere, as_array
from ..subject import Subject
from .cached import reading_stream
from .generating import given_prompt, row_alone
from .padding import moved_by_padding
from .sight import CROWDED, crowded

BEAMS, NEW_TOKENS, PENALTY = 3, 5, 0.8
TIE = 1e-5
"""Scores that differ by less may be in any order: the file adds them in float32."""


def beams(subject: Subject) -> Measured | NotHere:
    """The texts found have the scores of those found without a cache, in plain and padded rows.

    A token that the best text has in its middle ends texts, so that some end early.
    """
    if crowded(subject):
        return NotHere(CROWDED)
    try:
        text = emit_file(subject.graph, BuildOptions(beam_search=True)).text
    except BuildError as error:
        return NotHere(str(error))
    model: Any = replace(subject, text=text).fresh()
    wanted = inspect.signature(model.beam_search).parameters
    if subject.arguments.limit(reading_stream(subject).ids) < NEW_TOKENS:
        return NotHere("sequences are too short to generate more")
    largest, settings = Largest(TIE), {"beams": BEAMS, "length_penalty": PENALTY}
    for case in ("plain", "padded right"):
        if case != "plain" and moved_by_padding(subject, "right"):
            continue
        data = subject.data(case)
        free = [_Search(subject, data, row, wanted, None) for row in range(2)]
        end = free[0].best[NEW_TOKENS // 2]
        given = given_prompt(subject, data, wanted)
        with torch.no_grad():
            found = model.beam_search(
                **given, max_new_tokens=NEW_TOKENS, eos_token_id=end, pad_token_id=end, **settings
            )
        for row, tokens in enumerate(found[:, 1:].tolist()):
            search = _Search(subject, data, row, wanted, end)
            text_found = tokens[: tokens.index(end) + 1] if end in tokens else tokens
            where = f"{case}: row {row}"
            if len(text_found) < len(tokens) and set(tokens[len(text_found) :]) != {end}:
                largest.take(float("inf"), f"{where} is not padded after its end")
            largest.take(search.best_score - search.score(text_found), where)
    return largest.measured()


class _Search:
    """Beam search for one row, which computes all tokens of each text in every step.

    best: the best text, without the start token; best_score: its score
    """

    def __init__(
        self, subject: Subject, data: Data, row: int, wanted: Mapping[str, Any], end: int | None
    ) -> None:
        self.subject, self.end = subject, end
        self.own, _ = row_alone(subject, data, row, wanted, NEW_TOKENS)
        live: list[tuple[float, list[int]]] = [(0.0, [])]
        done: list[tuple[float, list[int]]] = []
        for length in range(1, NEW_TOKENS + 1):
            longer = [
                (score + float(each), [*text, token])
                for score, text in live
                for token, each in enumerate(self._next(text))
            ]
            longer = sorted(longer, key=lambda one: -one[0])[: 2 * BEAMS]
            ends = [length == NEW_TOKENS or text[-1] == end for _, text in longer]
            done += [
                (score / _penalty(length), text)
                for (score, text), ended in list(zip(longer, ends, strict=True))[:BEAMS]
                if ended
            ]
            done = sorted(done, key=lambda one: -one[0])[:BEAMS]
            live = [one for one, ended in zip(longer, ends, strict=True) if not ended][:BEAMS]
            if not live or (
                len(done) == BEAMS and done[-1][0] >= live[0][0] / _penalty(NEW_TOKENS)
            ):
                break
        self.best_score, self.best = done[0]

    def _next(self, text: list[int]) -> Array:
        """The logarithms of the probabilities of the token that follows a text."""
        last: Array = self._logarithms(text)[-1]
        return last

    def _logarithms(self, text: list[int]) -> Array:
        ids = reading_stream(self.subject).ids
        tokens = np.concatenate([self.own[ids], np.array([text], np.int64).reshape(1, -1)], axis=1)
        (logits,) = self.subject.results({**self.own, ids: tokens}).values()
        found: Array = as_array(logits.log_softmax(-1))[0]
        return found

    def score(self, text: list[int]) -> float:
        rows = self._logarithms(text[:-1])[-len(text) :]
        each = [float(row[token]) for row, token in zip(rows, text, strict=True)]
        return sum(each) / _penalty(len(text))


def _penalty(length: int) -> float:
    return float(((5 + length) / 6) ** PENALTY)

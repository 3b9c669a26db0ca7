"""A prompt, a model and its weights become text: what `modelwright generate` does, without a word.

torch and the tokenizers are imported when they are first needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from .compiler import ModuleGraph

SHOWN = 12  # differences between a file of weights and a model that are worth reading


class PromptError(Exception):
    """A prompt, tokenizer, file of weights or device that does not fit; the message says why."""


@dataclass(frozen=True)
class Tokens:
    """Text to token ids and back."""

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]


BYTES = Tokens(
    encode=lambda text: list(text.encode()),
    decode=lambda ids: bytes(i for i in ids if i < 256).decode(errors="replace"),
)


def read_tokens(name: str) -> Tokens:
    """The tokenizer of a tokenizer.json, or `bytes`: a token is a byte."""
    if name == "bytes":
        return BYTES
    if not Path(name).is_file():
        raise PromptError(f"{name}: no such file; a tokenizer is a tokenizer.json or `bytes`")
    from tokenizers import Tokenizer

    try:
        read = Tokenizer.from_file(name)
    except Exception as error:  # the library raises no narrower one
        raise PromptError(f"{name} is no tokenizer.json: {error}") from None
    return Tokens(lambda text: list(read.encode(text).ids), lambda ids: str(read.decode(ids)))


def read_model(
    graph: ModuleGraph, weights: Path, *, device: str | None, dtype: str | None
) -> nn.Module:
    """The model of a graph in eval mode, with the weights of a safetensors file.

    Raises PromptError when it does not write text, or the device or the weights do not fit.
    """
    import torch

    from .backends.pytorch import WeightsError, compile, load_weights  # noqa: A004

    model = compile(graph, device="meta", dtype=dtype)
    if not hasattr(model, "generate"):
        raise PromptError(f"{graph.name} writes no text: it has no decoder with a language model")
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise PromptError(f"no device `{place}`: {str(error).splitlines()[0]}") from None
    try:
        return load_weights(model.to_empty(device=place), weights).eval()
    except WeightsError as error:
        raise PromptError(shortened(str(error))) from None


def shortened(message: str) -> str:
    """A message of many lines, less those that nobody reads."""
    lines = message.splitlines()
    if len(lines) <= SHOWN + 1:
        return message
    return "\n".join([*lines[: SHOWN + 1], f"  … and {len(lines) - SHOWN - 1} more"])


def go_on(model: nn.Module, tokens: Tokens, prompt: str, *, seed: int, **sampling: Any) -> str:
    """What a decoder makes of a prompt, which it begins with; or an encoder-decoder's answer.

    `sampling` is what the model's `generate` takes: max_new_tokens, temperature, top_k, top_p.
    Raises PromptError for a prompt that the model cannot read.
    """
    import torch

    ids = tokens.encode(prompt)
    if not ids:
        raise PromptError("the prompt holds no token")
    entries = getattr(model.config, "vocab_size", None)
    if isinstance(entries, int) and max(ids) >= entries:
        raise PromptError(f"the tokenizer gives token {max(ids)}, but vocab_size is {entries}")
    torch.manual_seed(seed)
    device = next(model.parameters()).device
    emitted: Any = model  # its methods are those of the built file
    try:
        answer = emitted.generate(torch.tensor([ids], device=device), **sampling)[0].tolist()
    except (ValueError, IndexError) as error:  # more tokens, or other ones, than the model has
        raise PromptError(str(error)) from None
    return tokens.decode(answer[1:] if hasattr(model, "encode") else answer)  # not its start

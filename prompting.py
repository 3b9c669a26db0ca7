"""Text generation from a prompt, for `modelwright generate`.

torch and tokenizers are imported on first use.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from .compiler import ModuleGraph

MARKS = ("\u0120", "\u2581")
"""What stands for a space in stored tokens: Ġ of byte-level BPE, ▁ of SentencePiece."""

SHOWN = 12  # lines of a list of mismatched weights


class PromptError(Exception):
    """The prompt, tokenizer, weights or device is invalid; the message says why."""


@dataclass(frozen=True)
class Tokens:
    """A tokenizer: text to token ids and back.

    size: number of its tokens; 0 if text is read as bytes or numbers
    """

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]
    name: Callable[[int], str] = str
    size: int = 0


def visible(text: str) -> str:
    """A token for figures: spaces are dots, and other characters without a shape are escaped."""
    dotted = text.replace(" ", "·")
    return "".join(s if s.isprintable() else repr(s).strip("'") for s in dotted) or "·"


def byte_name(number: int) -> str:
    """`a`, `·`, `\\n` or `\\xbb`: a byte as a token. Larger numbers stay numbers."""
    if number > 255:
        return str(number)
    return visible(chr(number)) if number < 128 else f"\\x{number:02x}"


BYTES = Tokens(
    encode=lambda text: list(text.encode(errors="surrogateescape")),
    decode=lambda ids: bytes(i for i in ids if i < 256).decode(errors="replace"),
    name=lambda number: byte_name(number),
)


ASCII = 128
"""The least vocabulary with which text is read as bytes."""


def numbers(size: int) -> Tokens:
    """A tokenizer of a vocabulary of `size` tokens whose text is their numbers: `3 1 4`."""

    def encode(text: str) -> list[int]:
        words = text.split()
        if all(word.isdecimal() and int(word) < size for word in words):
            return [int(word) for word in words]
        raise PromptError(
            f"the vocabulary has {size} tokens, too few for text; write numbers below {size}, such "
            "as `0 1 2`, or give a tokenizer"
        )

    return Tokens(encode, lambda ids: " ".join(map(str, ids)))


def load_tokenizer(name: str) -> Tokens:
    """The tokenizer of a tokenizer.json file, or for `bytes` one whose tokens are bytes.

    Raises PromptError for a file that is missing or not a tokenizer.
    """
    if name == "bytes":
        return BYTES
    if not Path(name).is_file():
        raise PromptError(
            f"{name}: no such file; --tokenizer takes a tokenizer.json file or `bytes`"
        )
    from tokenizers import Tokenizer

    try:
        read = Tokenizer.from_file(name)
    except Exception as error:  # the library raises plain Exceptions
        raise PromptError(f"{name} is not a valid tokenizer.json: {error}") from None

    def name_of(number: int) -> str:
        stored = str(read.id_to_token(number) or number)
        space = " " if stored[:1] in MARKS and len(stored) > 1 else ""
        text = str(read.decode([number])).strip()
        return visible(space + text if text and "\ufffd" not in text else stored)

    return Tokens(
        lambda text: list(read.encode(text).ids),
        lambda ids: str(read.decode(ids)),
        name_of,
        read.get_vocab_size(),
    )


def decode_prompt(data: bytes) -> str:
    """Decode UTF-8. Raises PromptError if it is invalid."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise PromptError(f"the prompt is not valid UTF-8: {error.reason}") from None


def load_model(
    graph: ModuleGraph,
    weights: Path,
    *,
    device: str | None,
    dtype: str | None,
    generates: bool = True,
    beam_search: bool = False,
) -> nn.Module:
    """The compiled model in eval mode with the weights of a checkpoint.

    device: default: cuda if available
    generates: whether the model must be able to generate text
    beam_search: whether it has the method `beam_search`
    dtype: dtype of the weights; default: torch's

    Raises PromptError when the model cannot generate text, or the device or weights do not fit.
    """
    import torch

    from .backends.pytorch import BuildError, WeightsError, compile, load_weights  # noqa: A004

    try:
        model = compile(graph, device="meta", dtype=dtype, beam_search=beam_search)
    except BuildError as error:
        raise PromptError(str(error).replace("--beam-search", "--beams")) from None
    if generates and not hasattr(model, "generate"):
        raise PromptError(
            f"{graph.name} cannot generate text: it has no decoder with a language model head"
        )
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise PromptError(
            f"device {place} is not available: {str(error).splitlines()[0]}"
        ) from None
    try:
        return load_weights(model.to_empty(device=place), weights).eval()
    except WeightsError as error:
        raise PromptError(shortened(str(error))) from None


def shortened(message: str) -> str:
    """A message limited to its first lines."""
    lines = message.splitlines()
    if len(lines) <= SHOWN + 1:
        return message
    return "\n".join([*lines[: SHOWN + 1], f"  … and {len(lines) - SHOWN - 1} more"])


def prompt_ids(model: nn.Module, tokens: Tokens, prompt: str) -> list[int]:
    """The token ids of a prompt. Raises PromptError for one that the model cannot read."""
    try:
        ids = tokens.encode(prompt)
    except UnicodeEncodeError:
        raise PromptError("the prompt is not valid UTF-8") from None
    if not ids:
        raise PromptError("the prompt contains no tokens")
    entries = getattr(model.config, "vocab_size", None)
    if isinstance(entries, int) and max(ids) >= entries:
        raise PromptError(f"the tokenizer gives token id {max(ids)}, but vocab_size is {entries}")
    return ids


def generate_text(
    model: nn.Module, tokens: Tokens, prompt: str, *, seed: int, **sampling: Any
) -> str:
    """The prompt and its continuation by a decoder, or the output of an encoder-decoder.

    sampling: arguments of the model's `generate`: max_new_tokens, temperature, top_k, top_p; or,
        with `beams`, of its `beam_search`: max_new_tokens, beams, length_penalty

    Raises PromptError for a prompt that the model cannot read.
    """
    import torch

    ids = prompt_ids(model, tokens, prompt)
    torch.manual_seed(seed)
    device = next(model.parameters()).device
    emitted: Any = model  # methods of the emitted class
    try:
        method = emitted.beam_search if "beams" in sampling else emitted.generate
        answer = method(torch.tensor([ids], device=device), **sampling)[0].tolist()
    except (ValueError, IndexError) as error:  # too many tokens, or ids outside the vocabulary
        raise PromptError(str(error)) from None
    answers = "decoder_start_token_id" in inspect.signature(emitted.generate).parameters
    return tokens.decode(answer[1:] if answers else answer)  # without the start token

"""The process that runs models for the explorer. It alone imports torch.

It reads one question per line from stdin and writes one answer per line to stdout, both as JSON.
The server starts it, and ends it when a run takes too long. Its arguments are files of plug-ins, or
`--no-plugins`.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

MOST_WEIGHTS = 50_000_000
MOST_TOKENS = 64
MOST_BYTES = 8 * 2**30
"""Of address space; much of it is code and is never touched."""
FIRST = "To be, or not to be"
"""The text that is read where none is given."""
NAMED = 40
"""Next tokens that are named; the page shows no more."""


def main() -> None:
    """Answer until stdin is closed."""
    limit_memory()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    load_plugins(sys.argv[1:])
    answers.write('{"ready": true}\n')
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(run(json.loads(line))) + "\n")
        answers.flush()


def load_plugins(arguments: list[str]) -> None:
    """Load the plug-ins of the command line, as the server did."""
    from ..plugins import load_plugin, use_installed
    from .runner import NO_PLUGINS

    use_installed(NO_PLUGINS not in arguments)
    for path in arguments:
        if path != NO_PLUGINS:
            load_plugin(path)


def limit_memory() -> None:
    """Limit the address space of this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(asked: dict[str, Any]) -> dict[str, Any]:
    """The attention maps of a text and the logits of the next token, or `error`.

    asked: text and name of the spec; folder, weights and tokenizer, or None; prompt; target, or
        None for what the model generates
    """
    from ..prompting import PromptError
    from ..spec import SpecErrors

    try:
        return _answer(asked)
    except (PromptError, SpecErrors) as error:
        return {"error": str(error)}
    except MemoryError:
        return {"error": _too_large()}
    except RuntimeError as error:
        if "alloc" not in str(error):
            raise
        return {"error": _too_large()}


def _too_large() -> str:
    return f"the model needs more than {MOST_BYTES // 2**30} GiB of address space"


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    import torch

    from ..attending import maps_of, names_of, text_arguments, text_inputs
    from ..compiler import lower
    from ..prompting import PromptError
    from ..spec import loads

    folder = asked["folder"]
    graph = lower(loads(asked["text"], asked["name"], folder=folder and Path(folder)))
    text_arguments(graph)
    model, note = _model(graph, asked["weights"])
    tokens, text, more = _text(model, asked)
    inputs = text_inputs(model, graph, tokens, text, asked["target"])
    longest = max(ids.size(1) for ids in inputs.values())
    if longest > MOST_TOKENS:
        raise PromptError(f"{longest} tokens; the page shows at most {MOST_TOKENS}")
    maps = maps_of(model, inputs)
    names = names_of(graph, tokens, inputs)
    with torch.no_grad():
        result = model(**inputs)
    return {
        "note": f"{note}{more}",
        "prompt": text,
        "tokens": names,
        "maps": [
            {
                "name": name,
                "op": maps.ops[name],
                "queries": maps.stacks[name][0],
                "keys": maps.stacks[name][1],
                "shape": list(weights.shape[1:]),
                "weights": _packed(weights[0]),
            }
            for name, weights in maps.items()
        ],
        "next": _next_tokens(graph, result, tokens),
    }


def _text(model: Any, asked: dict[str, Any]) -> tuple[Any, str, str]:
    """The tokenizer, the text to read, and a note; tokens of a small vocabulary are numbers."""
    from ..prompting import ASCII, BYTES, load_tokenizer, numbers

    size = getattr(model.config, "vocab_size", ASCII)
    prompt: str | None = asked["prompt"]
    if asked["tokenizer"]:
        return load_tokenizer(asked["tokenizer"]), FIRST if prompt is None else prompt, ""
    if size >= ASCII:
        return BYTES, FIRST if prompt is None else prompt, ""
    first = " ".join(map(str, range(min(size, 8))))
    note = f" The vocabulary has {size} tokens, too few for text: the text is numbers below {size}."
    return numbers(size), first if prompt is None else prompt, note


def _model(graph: Any, weights: str | None) -> tuple[Any, str]:
    """The model, and where its weights come from."""
    from ..backends.pytorch import compile  # noqa: A004
    from ..compiler.report import report
    from ..prompting import PromptError, load_model

    total = report(graph).weights_total
    if total > MOST_WEIGHTS:
        raise PromptError(
            f"{total:,} weights; the page runs models of at most {MOST_WEIGHTS:,}. Make it smaller "
            "with the sliders"
        )
    note = "Random weights: start with --weights to see a trained model."
    if weights is not None:
        try:
            model = load_model(graph, Path(weights), device="cpu", dtype=None, generates=False)
            return model, f"Weights of {Path(weights).name}."
        except PromptError:
            note = f"Random weights: those of {Path(weights).name} do not fit this spec."
    return compile(graph, seed=0).eval(), note


def _packed(weights: Any) -> str:
    """Weights as 16-bit numbers, 65535 for 1, in base64."""
    numbers = (weights.float() * 65535).round().clamp(0, 65535).to("cpu").numpy().astype("<u2")
    return base64.b64encode(numbers.tobytes()).decode()


def _next_tokens(graph: Any, result: Any, tokens: Any) -> dict[str, Any] | None:
    """All logits of the last position in descending order, and names of the first; or None."""
    heads = [
        name
        for name, head in graph.heads.items()
        if head.loss == "next_token"
        or (head.kind == "language_model" and graph.stack_facts[head.stack].reads)
    ]
    if isinstance(result, dict):
        result = result[heads[0]] if heads else None
    if result is None or not heads or result.dim() != 3:
        return None
    ordered = result[0, -1].float().sort(descending=True)
    return {
        "logits": [round(value, 4) for value in ordered.values.tolist()],
        "names": [tokens.name(number) for number in ordered.indices[:NAMED].tolist()],
    }


if __name__ == "__main__":
    main()

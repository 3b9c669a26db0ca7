"""Inputs and outputs of an exported model, by Modelwright's and by Hugging Face's names."""

from __future__ import annotations

from ..pytorch.calls import table_of
from .emitted import EmittedFile
from .errors import ExportError
from .kinds import CAUSAL, ONE_RESULT, RUNNING, SEVERAL, UNCACHED, Kind
from .templates import Rows

_OWNERS = {"encoder_reads": "self.whole.model", "decoder_reads": "self.model"}
OF_A_MAPPING = {*dir(dict), "move_to_end", "to_tuple"}  # methods of output classes


def input_rows(emitted: EmittedFile, kind: Kind) -> Rows:
    """Replacements for the template lines about inputs and outputs."""
    if kind.encoder_decoder:
        return _seq2seq_rows(emitted)
    if kind in (ONE_RESULT, SEVERAL):
        arguments = [*emitted.required("forward"), *emitted.optional("forward")]
        return {
            "emitted_input": [_passed(name, name, "its_input") for name in arguments],
            "its_input": [{"its_input": name} for name in arguments],
            "its_result": [{"its_result": name} for name in result_names(emitted)],
        }
    method = "hidden_states" if kind in (CAUSAL, RUNNING, UNCACHED) else "forward"
    theirs = _standard_names(emitted.optional(method))
    return {
        "emitted_input": [_passed(own, name, "its_input") for own, name in theirs.items()],
        "its_input": [
            {"its_input": name} for name in theirs.values() if name not in ("attention_mask",)
        ],
    }


def _seq2seq_rows(emitted: EmittedFile) -> Rows:
    assert emitted.pair is not None
    first, second = emitted.pair
    encoder = _standard_names(emitted.optional(first))
    decoder = {
        own: encoder.get(own) or name
        for own, name in _standard_names(emitted.optional(second), "decoder_").items()
    }
    fixed = ("attention_mask", "decoder_attention_mask")
    extra = [name for name in encoder.values() if name not in fixed]
    more = [name for name in decoder.values() if name not in (*fixed, *extra)]
    return {
        "encoder_reads": _read(emitted, first, "encoder_ids", "encoder_reads"),
        "decoder_reads": _read(emitted, second, "decoder_ids", "decoder_reads"),
        "encoder_input": [_passed(own, name, "encoder_input") for own, name in encoder.items()],
        "decoder_input": [_passed(own, name, "decoder_input") for own, name in decoder.items()],
        "encoder_mask": [{"encoder_mask": "attention_mask"}] if emitted.reads_tokens else [],
        "encoder_extra": [{"encoder_extra": name} for name in extra],
        "its_input": [{"its_input": name} for name in [*extra, *more]],
    }


def _read(emitted: EmittedFile, stack: str, ids: str, word: str) -> list[dict[str, str]]:
    """First arguments of a stack's call: ids or embedded ids, and a memory."""
    table = table_of(emitted.graph, stack)
    arguments = {"memory": "encoder_outputs[0]"}
    if table is not None:
        arguments["x"] = f"{_OWNERS[word]}.{table.name}({ids})"
    return [{word: arguments.get(name, ids)} for name in emitted.required(stack)]


def _passed(own: str, name: str, word: str) -> dict[str, str]:
    return {"emitted_input": own, word: name}


def _standard_names(arguments: list[str], prefix: str = "") -> dict[str, str]:
    """Name of an argument -> its standard name in Hugging Face models, if there is one."""
    found = {}
    for own in arguments:
        role = next((r for r in ("attention_mask", "position_ids") if own.endswith(r)), "")
        found[own] = prefix + role if role else own
    return found


def result_names(emitted: EmittedFile) -> list[str]:
    """Fields of an `AutoModel`'s output."""
    heads = emitted.graph.heads
    if len(heads) > 1:
        if clash := sorted(OF_A_MAPPING & heads.keys()):
            raise ExportError(
                f"a head called `{clash[0]}` cannot be exported: Hugging Face's outputs have a "
                "method of that name"
            )
        return list(heads)
    head = next(iter(heads.values()), None)
    if head is not None and head.kind == "projection" and head.pool:
        return ["pooler_output"]
    scores = head is not None and head.kind in ("language_model", "classifier")
    return ["logits" if scores else "last_hidden_state"]

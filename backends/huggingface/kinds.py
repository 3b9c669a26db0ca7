"""Kinds of exported models: the `AutoModel…` class that loads one, and its base classes."""

from __future__ import annotations

from dataclasses import dataclass

from ...compiler.facts import HeadFact
from .emitted import EmittedFile


@dataclass(frozen=True)
class Kind:
    """A kind of exported model.

    suffix: suffix of the class name
    auto: the `AutoModel…` class that loads it
    parts: classes of the runtime that are copied, by file
    encoder_decoder: value of `is_encoder_decoder` in config.json
    cached: whether `generate` uses a cache
    """

    suffix: str
    auto: str
    parts: tuple[tuple[str, str], ...]
    encoder_decoder: bool = False
    cached: bool = True

    @property
    def generates(self) -> bool:
        return self.suffix in ("ForCausalLM", "ForConditionalGeneration")


BASE = ("base", "NamePreTrainedModel")
SEEN = (("observed", "AttentionWeights"), ("observed", "Observed"))
OUTPUT = ("results", "NameOutput")
CAUSAL = Kind(
    "ForCausalLM",
    "AutoModelForCausalLM",
    (("cache", "KeptCache"), *SEEN, BASE, ("causal", "NameForCausalLM")),
)
RUNNING = Kind(
    "ForCausalLM",
    "AutoModelForCausalLM",
    (
        ("cache", "KeptCache"),
        ("states", "RunningCache"),
        ("states", "KeptStates"),
        *SEEN,
        BASE,
        ("causal", "NameForCausalLM"),
    ),
)
UNCACHED = Kind(
    "ForCausalLM",
    "AutoModelForCausalLM",
    (*SEEN, BASE, ("uncached", "NameForCausalLM")),
    cached=False,
)
SEQ2SEQ = Kind(
    "ForConditionalGeneration",
    "AutoModelForSeq2SeqLM",
    (
        ("cache", "KeptCache"),
        ("cache", "KeptMemory"),
        ("cache", "KeptCrossCache"),
        *SEEN,
        BASE,
        ("seq2seq", "NameEncoder"),
        ("seq2seq", "NameForConditionalGeneration"),
    ),
    encoder_decoder=True,
)
MASKED = Kind("ForMaskedLM", "AutoModelForMaskedLM", (*SEEN, BASE, ("masked", "NameForMaskedLM")))
SEQUENCES = Kind(
    "ForSequenceClassification",
    "AutoModelForSequenceClassification",
    (*SEEN, BASE, ("classifier", "NameForSequenceClassification")),
)
TOKENS = Kind(
    "ForTokenClassification",
    "AutoModelForTokenClassification",
    (*SEEN, BASE, ("classifier", "NameForTokenClassification")),
)
IMAGES = Kind(
    "ForImageClassification",
    "AutoModelForImageClassification",
    (*SEEN, BASE, ("images", "NameForImageClassification")),
)
ONE_RESULT = Kind("Model", "AutoModel", (OUTPUT, BASE, ("results", "NameModel")))
SEVERAL = Kind("Model", "AutoModel", (OUTPUT, BASE, ("results", "NameModelOfSeveral")))


def kind_of(emitted: EmittedFile) -> Kind:
    """The kind of a model; `AutoModel` if no other class fits."""
    graph, heads = emitted.graph, emitted.graph.heads
    if len(heads) > 1:
        return SEVERAL
    head = next(iter(heads.values()), HeadFact("", "", ""))
    if len(graph.hidden) == 1:
        if len(emitted.required("forward")) != 1:
            return ONE_RESULT
        if not emitted.reads_tokens:
            pooled = head.kind == "classifier" and head.pool
            return IMAGES if pooled and emitted.main_input == "pixel_values" else ONE_RESULT
        if head.kind == "classifier":
            return SEQUENCES if head.pool else TOKENS
        if head.kind != "language_model":
            return ONE_RESULT
        if next(iter(graph.hidden)) not in graph.predicts_next:
            return MASKED
        if not emitted.cached("hidden_states"):
            return UNCACHED
        return RUNNING if emitted.keeps_states else CAUSAL
    answers = (
        head.kind == "language_model"
        and not emitted.keeps_states
        and emitted.pair is not None
        and all(len(emitted.sources(stack)) == 1 for stack in emitted.pair)
        and emitted.cached(emitted.pair[1])
    )
    return SEQ2SEQ if answers else ONE_RESULT

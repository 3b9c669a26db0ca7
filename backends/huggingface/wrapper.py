"""The text around an emitted file that makes it a Hugging Face model, and its config.json."""

from __future__ import annotations

import ast
import keyword
from dataclasses import dataclass, field
from typing import Any

from ...spec.head import Classifier, LanguageModel, ProjectionHead
from ...version import __version__
from ..pytorch.card import clean, wrap
from ..pytorch.text import literal
from .emitted import EmittedFile
from .errors import ExportError
from .sizes import (
    LABELS,
    Standard,
    labels_field,
    output_table,
    resizable,
    standard_sizes,
    token_table,
)
from .templates import WIDTH, Rows, class_text, filled, imports

FAMILY = "modelwright_"  # what the model_type of every exported model begins with


@dataclass(frozen=True)
class Kind:
    """What an exported model is to Hugging Face.

    suffix: of its class
    auto: the class of theirs that loads it
    parts: the classes of the runtime that it consists of, by file
    encoder_decoder: does the config say so?
    cached: does `generate` keep a cache?
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
OUTPUT = ("results", "NameOutput")
CAUSAL = Kind(
    "ForCausalLM",
    "AutoModelForCausalLM",
    (("cache", "KeptCache"), BASE, ("causal", "NameForCausalLM")),
)
UNCACHED = Kind(
    "ForCausalLM", "AutoModelForCausalLM", (BASE, ("uncached", "NameForCausalLM")), cached=False
)
SEQ2SEQ = Kind(
    "ForConditionalGeneration",
    "AutoModelForSeq2SeqLM",
    (
        ("cache", "KeptCache"),
        ("cache", "KeptMemory"),
        ("cache", "KeptCrossCache"),
        BASE,
        ("seq2seq", "NameEncoder"),
        ("seq2seq", "NameForConditionalGeneration"),
    ),
    encoder_decoder=True,
)
MASKED = Kind("ForMaskedLM", "AutoModelForMaskedLM", (BASE, ("masked", "NameForMaskedLM")))
SEQUENCES = Kind(
    "ForSequenceClassification",
    "AutoModelForSequenceClassification",
    (BASE, ("classifier", "NameForSequenceClassification")),
)
TOKENS = Kind(
    "ForTokenClassification",
    "AutoModelForTokenClassification",
    (BASE, ("classifier", "NameForTokenClassification")),
)
ONE_RESULT = Kind("Model", "AutoModel", (OUTPUT, BASE, ("results", "NameModel")))
SEVERAL = Kind("Model", "AutoModel", (OUTPUT, BASE, ("results", "NameModelOfSeveral")))

OF_A_MAPPING = {*dir(dict), "move_to_end", "to_tuple"}  # methods of Hugging Face's outputs


@dataclass(frozen=True)
class Wrapper:
    """The files of an exported folder but for the weights: name -> text, and data for JSON."""

    texts: dict[str, str]
    config: dict[str, Any]
    generation: dict[str, Any] = field(default_factory=dict)


def kind_of(emitted: EmittedFile) -> Kind:
    """What Hugging Face calls such a model; one that it has no name for is an `AutoModel`."""
    graph, heads = emitted.graph, emitted.graph.spec.heads
    if len(heads) > 1:
        return SEVERAL
    head = next(iter(heads.values()), None)
    if len(graph.hidden) == 1:
        if len(emitted.required("forward")) != 1:
            return ONE_RESULT
        if isinstance(head, Classifier):
            return TOKENS if head.pool.type == "none" else SEQUENCES
        if not isinstance(head, LanguageModel):
            return ONE_RESULT
        if next(iter(graph.hidden)) not in graph.predicts_next:
            return MASKED
        return CAUSAL if emitted.cached("hidden_states") else UNCACHED
    answers = (
        isinstance(head, LanguageModel)
        and len(emitted.required("encode")) == 1
        and len(emitted.required("decode")) == 2
        and emitted.cached("decode")
    )
    return SEQ2SEQ if answers else ONE_RESULT


def write_wrapper(emitted: EmittedFile, dtype: str) -> Wrapper:
    """All files of the folder but for the weights, whose dtype config.json says."""
    kind = kind_of(emitted)
    standard = standard_sizes(emitted)
    names = _names(emitted, kind)
    if keyword.iskeyword(emitted.module):
        raise ExportError(f"a model called `{emitted.module}` cannot be exported: rename it")
    modules = {
        "configuration": f"configuration_{emitted.module}",
        "emitted": emitted.module,
    }
    texts = {
        f"{emitted.module}.py": emitted.text,
        f"{modules['configuration']}.py": _configuration(emitted, kind, standard, names),
        f"modeling_{emitted.module}.py": _modeling(emitted, kind, names, modules),
    }
    config = _config(emitted, kind, standard, dtype)
    return Wrapper(texts, config, _generation(emitted, kind))


# -- names


def _names(emitted: EmittedFile, kind: Kind) -> dict[str, str]:
    """The runtime's names of classes and what they become."""
    own = emitted.class_name
    names = {"Emitted": own, "NameConfig": f"{own}Config"}
    for _, name in kind.parts:
        if name.startswith("Name"):
            names[name] = own + name.removeprefix("Name").removesuffix("OfSeveral")
    return names


def _checked(text: str, emitted: EmittedFile) -> str:
    """The text, unless one name means two things in it."""
    tree = ast.parse(text)
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    names += [
        alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    if clash := sorted({name for name in names if names.count(name) > 1}):
        raise ExportError(
            f"`{emitted.graph.name}` cannot be exported: {clash[0]} has a meaning of its own in a "
            "Hugging Face model; give the model another name"
        )
    return text


# -- files


def _title(emitted: EmittedFile, what: str) -> str:
    spec = emitted.graph.spec
    source = clean(spec.source_name or f"{spec.name}.yaml")
    origin = f"Written by modelwright {__version__} from {source} (sha256 {spec.sha[:12]})."
    return "\n".join([f'"""{spec.name}: {what}.', "", *wrap(origin), '"""'])


def _joined(*parts: str) -> str:
    return "\n\n\n".join(part for part in parts if part) + "\n"


def _configuration(
    emitted: EmittedFile, kind: Kind, standard: list[Standard], names: dict[str, str]
) -> str:
    rest = _rest(emitted, standard)
    by_field = {size.field: size.name for size in standard} | {labels_field(emitted): LABELS}
    rows: Rows = {
        "emitted_size": [
            {"emitted_size": own, "its_size": name} for own, name in by_field.items() if own
        ],
        "its_size": _declared(emitted, kind, standard),
    }
    constants = {"MODEL_TYPE": f'"{FAMILY}{emitted.module}"'}
    text = filled(class_text("configuration", "NameConfig"), rows, {**names, **constants})
    pairs = [f'    "{name}": {literal(value)},' for name, value in rest.items()]
    sizes = "SIZES: dict[str, Any] = " + ("\n".join(["{", *pairs, "}"]) if pairs else "{}")
    title = _title(emitted, "the configuration")
    head = imports(["configuration"], f"{sizes}\n{text}", names, {})
    return _checked(_joined(f"{title}\n\n{head}\n\n{sizes}", text), emitted)


def _rest(emitted: EmittedFile, standard: list[Standard]) -> dict[str, Any]:
    """The sizes that have no standard name."""
    named = {*(size.field for size in standard), labels_field(emitted)}
    return {name: value for name, value in emitted.sizes.items() if name not in named}


def _declared(emitted: EmittedFile, kind: Kind, standard: list[Standard]) -> list[dict[str, str]]:
    rows = [
        {"its_size": size.name, "int": type(size.value).__name__, "ITS_VALUE": literal(size.value)}
        for size in standard
    ]
    rows += [
        {"its_size": name, "int": "int | None", "ITS_VALUE": literal(value)}
        for name, value in _special_tokens(emitted, kind).items()
    ]
    if kind.encoder_decoder:
        rows.append({"its_size": "is_encoder_decoder", "int": "bool", "ITS_VALUE": "True"})
    return rows


def _modeling(
    emitted: EmittedFile, kind: Kind, names: dict[str, str], modules: dict[str, str]
) -> str:
    table, output = token_table(emitted.graph), output_table(emitted.graph)
    without = ["resize_token_embeddings"] if resizable(emitted) else []
    without += [] if output else ["get_output_embeddings", "set_output_embeddings"]
    main = emitted.methods["forward"][0].name
    constants = {
        "INPUT_TABLE": f'"{table}"',
        "OUTPUT_TABLE": f'"{output}"',
        "MAIN_INPUT": f'"{main}"',
    }
    rows = _rows(emitted, kind)
    texts = [
        filled(class_text(file, name, without=without), rows, {**names, **constants})
        for file, name in kind.parts
    ]
    blocks = _list_constant("BLOCKS", list(emitted.blocks))
    title = _title(emitted, "the Hugging Face model")
    files = list(dict.fromkeys(file for file, _ in kind.parts))
    head = imports(files, "\n".join(texts), names, modules)
    return _checked(_joined(f"{title}\n\n{head}\n\n{blocks}", *texts), emitted)


def _list_constant(name: str, words: list[str]) -> str:
    line = f"{name} = [{', '.join(_quoted(word) for word in words)}]"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = [", *(f"    {_quoted(word)}," for word in words), "]"])


def _quoted(word: str) -> str:
    return f'"{word}"'


# -- what stands for a line that is said once for each input or result


def _rows(emitted: EmittedFile, kind: Kind) -> Rows:
    if kind.encoder_decoder:
        return _seq2seq_rows(emitted)
    if kind in (ONE_RESULT, SEVERAL):
        arguments = [*emitted.required("forward"), *emitted.optional("forward")]
        return {
            "emitted_input": [_passed(name, name, "its_input") for name in arguments],
            "its_input": [{"its_input": name} for name in arguments],
            "its_result": [{"its_result": name} for name in result_names(emitted)],
        }
    method = "hidden_states" if kind in (CAUSAL, UNCACHED) else "forward"
    theirs = _standard_names(emitted.optional(method))
    return {
        "emitted_input": [_passed(own, name, "its_input") for own, name in theirs.items()],
        "its_input": [
            {"its_input": name} for name in theirs.values() if name not in ("attention_mask",)
        ],
    }


def _seq2seq_rows(emitted: EmittedFile) -> Rows:
    encoder = _standard_names(emitted.optional("encode"))
    decoder = {
        own: encoder.get(own) or name
        for own, name in _standard_names(emitted.optional("decode"), "decoder_").items()
    }
    fixed = ("attention_mask", "decoder_attention_mask")
    extra = [name for name in encoder.values() if name not in fixed]
    more = [name for name in decoder.values() if name not in (*fixed, *extra)]
    return {
        "encoder_input": [_passed(own, name, "encoder_input") for own, name in encoder.items()],
        "decoder_input": [_passed(own, name, "decoder_input") for own, name in decoder.items()],
        "encoder_extra": [{"encoder_extra": name} for name in extra],
        "its_input": [{"its_input": name} for name in [*extra, *more]],
    }


def _passed(own: str, name: str, word: str) -> dict[str, str]:
    return {"emitted_input": own, word: name}


def _standard_names(arguments: list[str], prefix: str = "") -> dict[str, str]:
    """Own name of an argument -> its name in Hugging Face models, where they have one."""
    found = {}
    for own in arguments:
        role = next((r for r in ("attention_mask", "position_ids") if own.endswith(r)), "")
        found[own] = prefix + role if role else own
    return found


def result_names(emitted: EmittedFile) -> list[str]:
    """The fields of an `AutoModel`'s output."""
    heads = emitted.graph.spec.heads
    if len(heads) > 1:
        if clash := sorted(OF_A_MAPPING & heads.keys()):
            raise ExportError(
                f"a head called `{clash[0]}` cannot be exported: Hugging Face's outputs have a "
                "method of that name"
            )
        return list(heads)
    head = next(iter(heads.values()), None)
    if isinstance(head, ProjectionHead) and head.pool.type != "none":
        return ["pooler_output"]
    return ["logits" if isinstance(head, (LanguageModel, Classifier)) else "last_hidden_state"]


# -- JSON


def _special_tokens(emitted: EmittedFile, kind: Kind) -> dict[str, int | None]:
    tokens = emitted.graph.spec.tokens
    found = {
        "pad_token_id": tokens.pad,
        "bos_token_id": tokens.bos,
        "eos_token_id": tokens.eos,
    }
    if kind.encoder_decoder:
        start = tokens.decoder_start if tokens.decoder_start is not None else tokens.bos
        found["decoder_start_token_id"] = 0 if start is None else start
    return found


def _config(
    emitted: EmittedFile, kind: Kind, standard: list[Standard], dtype: str
) -> dict[str, Any]:
    own = emitted.class_name
    config: dict[str, Any] = {
        "architectures": [f"{own}{kind.suffix}"],
        "auto_map": {
            "AutoConfig": f"configuration_{emitted.module}.{own}Config",
            kind.auto: f"modeling_{emitted.module}.{own}{kind.suffix}",
        },
        "model_type": f"{FAMILY}{emitted.module}",
        "dtype": dtype,
        **{size.name: size.value for size in standard},
        **{k: v for k, v in _special_tokens(emitted, kind).items() if v is not None},
    }
    if kind.encoder_decoder:
        config["is_encoder_decoder"] = True
    if kind in (SEQUENCES, TOKENS):
        (head,) = emitted.graph.spec.heads.values()
        assert isinstance(head, Classifier)
        config["id2label"] = {str(i): f"LABEL_{i}" for i in range(head.classes)}
        config["label2id"] = {f"LABEL_{i}": i for i in range(head.classes)}
    config["sizes"] = _rest(emitted, standard)
    return config


def _generation(emitted: EmittedFile, kind: Kind) -> dict[str, Any]:
    """generation_config.json; empty for a model that writes no text."""
    if not kind.generates:
        return {}
    tokens = _special_tokens(emitted, kind)
    if tokens["pad_token_id"] is None:
        tokens["pad_token_id"] = tokens["eos_token_id"]
    found: dict[str, Any] = {k: v for k, v in tokens.items() if v is not None}
    return found if kind.cached else {**found, "use_cache": False}

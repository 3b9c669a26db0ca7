"""The files that make an emitted file a Hugging Face model, and its config.json."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ...spec import ModelSpec
from ...version import __version__
from ..pytorch.card import clean, wrap
from ..pytorch.code.read import written as literal
from ..pytorch.entry import switches
from ..pytorch.generate import counts_places
from .emitted import EmittedFile
from .errors import ExportError
from .inputs import input_rows
from .kinds import CAUSAL, ONE_RESULT, RUNNING, SEQ2SEQ, SEVERAL, UNCACHED, Kind, kind_of
from .sizes import (
    LABELS,
    Standard,
    labels_field,
    output_table,
    resizable,
    standard_sizes,
    token_table,
)
from .spec_text import FAMILY, SPEC_KEY, spec_text
from .special_tokens import generation_tokens, special_tokens
from .templates import WIDTH, Rows, class_text, filled, imports, used_twice
from .tensor_plan import tensor_plan


@dataclass(frozen=True)
class Wrapper:
    """The files of an exported folder, except weights: name -> text, and JSON data."""

    texts: dict[str, str]
    config: dict[str, Any]
    generation: dict[str, Any] = field(default_factory=dict)


def write_wrapper(emitted: EmittedFile, dtype: str, spec: ModelSpec | None = None) -> Wrapper:
    """All files of the folder except the weights.

    spec: stored in config.json, so that the folder can be imported again
    """
    for stack in emitted.graph.inputs:
        if any(source.kind == "features" for source in emitted.graph.read_by(stack)):
            raise ExportError(
                f"not supported yet: `{stack}` reads vectors, which `transformers` names itself"
            )
    kind = kind_of(emitted)
    standard = standard_sizes(emitted)
    names = _names(emitted, kind)
    if keyword.iskeyword(emitted.module):
        raise ExportError(f"a model with the name `{emitted.module}` cannot be exported; rename it")
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
    if spec is not None:
        config[SPEC_KEY] = spec_text(spec)
    return Wrapper(texts, config, _generation(emitted, kind))


# -- names


def _names(emitted: EmittedFile, kind: Kind) -> dict[str, str]:
    """Class name in the runtime -> class name in the export."""
    own = emitted.class_name
    names = {"Emitted": own, "NameConfig": f"{own}Config"}
    for _, name in kind.parts:
        if name.startswith("Name"):
            names[name] = own + name.removeprefix("Name").removesuffix("OfSeveral")
    return names


def _checked(text: str, emitted: EmittedFile, inputs: Iterable[str] = ()) -> str:
    """The text. Raises ExportError if a name has two meanings in it.

    inputs: arguments of `forward` whose names the spec defines
    """
    tree = ast.parse(text)
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    names += [
        alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    methods = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for node in (node for node in methods if node.name == "forward"):
        if twice := sorted(used_twice(node).intersection(inputs)):
            raise ExportError(
                f"`{emitted.graph.name}` cannot be exported: its input `{twice[0]}` is also a name "
                "in a Hugging Face model; give the input another name"
            )
    if clash := sorted({name for name in names if names.count(name) > 1}):
        raise ExportError(
            f"`{emitted.graph.name}` cannot be exported: {clash[0]} is also a name in a "
            "Hugging Face model; give the model another name"
        )
    return text


# -- files


def _title(emitted: EmittedFile, what: str) -> str:
    model, written = emitted.graph.name, emitted.graph.source
    source = clean(written.name or f"{model}.yaml")
    origin = f"Written by modelwright {__version__} from {source} (sha256 {written.sha[:12]})."
    return "\n".join([f'"""{model}: {what}.', "", *wrap(origin), '"""'])


def _joined(*parts: str) -> str:
    return "\n\n\n".join(part for part in parts if part) + "\n"


def _configuration(
    emitted: EmittedFile, kind: Kind, standard: list[Standard], names: dict[str, str]
) -> str:
    rest, plan = _rest(emitted, standard), tensor_plan(emitted.graph)
    by_field = {size.field: size.name for size in standard} | {labels_field(emitted): LABELS}
    rows: Rows = {
        "emitted_size": [
            {"emitted_size": own, "its_size": name} for own, name in by_field.items() if own
        ],
        "its_size": _declared(emitted, kind, standard),
        "base_model_tp_plan": [{}] if plan else [],
    }
    constants = {"MODEL_TYPE": f'"{FAMILY}{emitted.module}"'}
    text = filled(class_text("configuration", "NameConfig"), rows, {**names, **constants})
    constant = _dict_constant("SIZES", "Any", rest)
    if plan:
        constant += "\n" + _dict_constant("TENSOR_PLAN", "str", plan)
    title = _title(emitted, "the configuration")
    head = imports(["configuration"], f"{constant}\n{text}", names, {})
    return _checked(_joined(f"{title}\n\n{head}\n\n{constant}", text), emitted)


def _dict_constant(name: str, values: str, table: dict[str, Any]) -> str:
    pairs = [f'    "{key}": {literal(value)},' for key, value in table.items()]
    shown = "\n".join(["{", *pairs, "}"]) if pairs else "{}"
    return f"{name}: dict[str, {values}] = {shown}"


def _rest(emitted: EmittedFile, standard: list[Standard]) -> dict[str, Any]:
    """The sizes without a standard name."""
    named = {*(size.field for size in standard), labels_field(emitted)}
    return {name: value for name, value in emitted.sizes.items() if name not in named}


def _declared(emitted: EmittedFile, kind: Kind, standard: list[Standard]) -> list[dict[str, str]]:
    rows = [
        {"its_size": size.name, "int": type(size.value).__name__, "ITS_VALUE": literal(size.value)}
        for size in standard
    ]
    rows += [
        {"its_size": name, "int": _token_type(value), "ITS_VALUE": literal(_one(value))}
        for name, value in special_tokens(emitted.graph, kind.encoder_decoder).items()
    ]
    if kind.encoder_decoder:
        rows.append({"its_size": "is_encoder_decoder", "int": "bool", "ITS_VALUE": "True"})
    return rows


def _token_type(value: int | list[int] | None) -> str:
    return "list[int] | int | None" if isinstance(value, list) else "int | None"


def _one(value: int | list[int] | None) -> int | None:
    """The default of a field: the first id, since lists are not allowed; config.json has all."""
    return value[0] if isinstance(value, list) else value


def _modeling(
    emitted: EmittedFile, kind: Kind, names: dict[str, str], modules: dict[str, str]
) -> str:
    table, output = token_table(emitted.graph), output_table(emitted.graph)
    without = ["resize_token_embeddings"] if resizable(emitted) else []
    without += [] if output else ["get_output_embeddings", "set_output_embeddings"]
    without += [] if table else ["get_input_embeddings", "set_input_embeddings"]
    without += [] if any(file == "cache" for file, _ in kind.parts) else ["cached_result"]
    without += [] if kind is RUNNING else ["_supports_default_dynamic_cache"] if kind.cached else []
    ways, guards = _ways(emitted, kind), _guards(emitted, kind)
    without += [name for name in OBSERVING if name not in ways.values()]
    without += [name for name in GUARDS if name not in guards]
    own = kind in (ONE_RESULT, SEVERAL)
    main = emitted.main_input if own else emitted.standard_input
    constants = {
        "INPUT_TABLE": f'"{table}"',
        "OUTPUT_TABLE": f'"{output}"',
        "MAIN_INPUT": f'"{main}"',
        "main_input": main,
        **({} if emitted.pair is None else dict(zip(STACKS, emitted.pair, strict=True))),
        "NO_VECTORS": literal(READS_IDS),
        "NO_WEIGHTS": "no layer computes them",
        "GROWING": f"({''.join(f'{literal(name)}, ' for name in _growing(emitted, kind))})",
        "LENGTHS": f"({''.join(f'{length}, ' for length in _switches(emitted))})",
        "NewCache": "RunningCache" if kind is RUNNING else "DynamicCache",
        "KeptOf": "KeptStates" if kind is RUNNING else "KeptCache",
        **_tables_of_pair(emitted),
        **ways,
    }
    rows = {
        **input_rows(emitted, kind),
        "_tp_plan": [{}] if tensor_plan(emitted.graph) else [],
        **{name: [{}] if name in guards else [] for name in GUARDS},
    }
    texts = [
        filled(class_text(file, name, without=without), rows, {**names, **constants})
        for file, name in kind.parts
    ]
    lists = _list_constant("BLOCKS", list(emitted.blocks)), _list_constant("UNREAD", UNREAD)
    title = _title(emitted, "the Hugging Face model")
    files = list(dict.fromkeys(file for file, _ in kind.parts))
    head = imports(files, "\n".join(texts), {**names, **constants}, modules)
    inputs = [row["its_input"] for row in rows["its_input"]]
    return _checked(_joined("\n".join([title, "", head, "", *lists]), *texts), emitted, inputs)


STACKS = ("its_encoder", "its_decoder")
READS_IDS = "the model reads the ids, too"
OBSERVING = ("embedded", "embedded_ids", "observed", "observed_states")
UNREAD = [
    "token_type_ids",
    "special_tokens_mask",
    "offset_mapping",
    "overflow_to_sample_mapping",
    "length",
    "position_ids",
    "decoder_position_ids",
    "cache_position",
]
"""What the library's classes ignore if their model does not read it."""
GUARDS = ("refuse_padding", "restarted", "grow")


def _ways(emitted: EmittedFile, kind: Kind) -> dict[str, str]:
    """Name of a call in the runtime -> the method of `OBSERVING` that the model needs."""
    if kind in (ONE_RESULT, SEVERAL):
        return {}
    found = {"observed": "observed" if emitted.fused_attention else "observed_states"}
    if kind is SEQ2SEQ:
        words = ("encoder_embedded", "decoder_embedded")
        tables = {
            w: emitted.vector_table(s) for w, s in zip(words, emitted.pair or (), strict=True)
        }
    else:
        table = "token_embedding" if emitted.vectors_for_tokens else ""
        tables = {"embedded": table} if emitted.reads_tokens else {}
    return {**found, **{w: "embedded" if table else "embedded_ids" for w, table in tables.items()}}


def _tables_of_pair(emitted: EmittedFile) -> dict[str, str]:
    """Arguments of `embedded` or `embedded_ids` for an encoder and a decoder."""
    if emitted.pair is None:
        return {}
    other = READS_IDS if emitted.reads_tokens else "the encoder does not read tokens"
    encoder, decoder = map(emitted.vector_table, emitted.pair)
    return {
        "ENCODER_TABLE": literal(encoder or other),
        "DECODER_TABLE": literal(decoder or READS_IDS),
    }


def _guards(emitted: EmittedFile, kind: Kind) -> list[str]:
    """The methods of `GUARDS` that a step of generation needs."""
    growing = ["grow"] if _growing(emitted, kind) else []
    if kind not in (CAUSAL, RUNNING, UNCACHED):
        return growing
    padding = counts_places(emitted.graph, next(iter(emitted.graph.hidden)))
    restart = kind is not UNCACHED and bool(_switches(emitted))
    return ["refuse_padding"] * padding + ["restarted"] * restart + growing


def _growing(emitted: EmittedFile, kind: Kind) -> list[str]:
    """Inputs with a document id for each token of the text that is generated."""
    if not kind.generates:
        return []
    names = emitted.optional("hidden_states") if emitted.pair is None else []
    if emitted.pair is not None:
        encoder, decoder = map(emitted.optional, emitted.pair)
        names = [name for name in decoder if name not in encoder]
    return [name for name in names if name.endswith("document_ids")]


def _switches(emitted: EmittedFile) -> list[str]:
    """The lengths at which LongRoPE switches its factors: fields of the emitted `Config`."""
    lengths = {n for stack in emitted.graph.hidden for n in switches(emitted.graph, stack)}
    return [
        f"self.model.config.{name}"
        for name, value in emitted.sizes.items()
        if name.endswith("original_max_positions") and value in lengths
    ]


def _list_constant(name: str, words: list[str]) -> str:
    line = f"{name} = [{', '.join(_quoted(word) for word in words)}]"
    if len(line) <= WIDTH:
        return line
    return "\n".join([f"{name} = [", *(f"    {_quoted(word)}," for word in words), "]"])


def _quoted(word: str) -> str:
    return f'"{word}"'


# -- JSON


def _config(
    emitted: EmittedFile, kind: Kind, standard: list[Standard], dtype: str
) -> dict[str, Any]:
    own = emitted.class_name
    tokens = special_tokens(emitted.graph, kind.encoder_decoder)
    config: dict[str, Any] = {
        "architectures": [f"{own}{kind.suffix}"],
        "auto_map": {
            "AutoConfig": f"configuration_{emitted.module}.{own}Config",
            kind.auto: f"modeling_{emitted.module}.{own}{kind.suffix}",
        },
        "model_type": f"{FAMILY}{emitted.module}",
        "dtype": dtype,
        **{size.name: size.value for size in standard},
        **{key: value for key, value in tokens.items() if value is not None},
    }
    if kind.encoder_decoder:
        config["is_encoder_decoder"] = True
    graph = emitted.graph
    if [head.kind for head in graph.heads.values()] == ["classifier"]:
        (scores,) = graph.outputs.values()
        classes = range(int(graph.values[scores].shape[-1].size or 0))
        config["id2label"] = {str(i): f"LABEL_{i}" for i in classes}
        config["label2id"] = {f"LABEL_{i}": i for i in classes}
    config["sizes"] = _rest(emitted, standard)
    return config


def _generation(emitted: EmittedFile, kind: Kind) -> dict[str, Any]:
    """Content of generation_config.json; empty if the model does not generate text."""
    if not kind.generates:
        return {}
    found = generation_tokens(emitted.graph, kind.encoder_decoder)
    return found if kind.cached else {**found, "use_cache": False}

"""Published configurations with reduced sizes, and the library's models of them."""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, PreTrainedModel

import modelwright as mw
from modelwright.backends.huggingface.families import SPELLINGS

sys.path.append(str(Path(__file__).parents[1] / "parity"))

from judge.calling import distance, ours
from tiny import Case, questions
from tiny.models import move
from tiny.shrink import tiny_fields
from tiny.sizes import LAYER_COUNTS, SIZES, TOKENS

OTHER_NAMES = {"n_embed": "hidden_size", "pooler_hidden_size": "hidden_size"}
"""Older keys of sizes, which no field of a config class is called by."""
STAGES = ("out_features", "out_indices", "stage_names")
"""Keys that number the layers of an encoder of images, where it is a backbone."""

FOLDER = Path(__file__).parent / "published"
Config = dict[str, Any]


def corpus() -> dict[str, Config]:
    """Checkpoint -> its config.json, as published; one file for each family."""
    found: dict[str, Config] = {}
    for path in sorted(FOLDER.glob("*.json")):
        found |= json.loads(path.read_text(encoding="utf-8"))
    return found


def small(config: Mapping[str, Any]) -> Config:
    """The same keys with small numbers, and those sizes that the file leaves to its class."""
    config = {key: value for key, value in config.items() if key not in STAGES}
    kind = CONFIG_MAPPING[config["model_type"]]
    usual = kind.from_dict(copy.deepcopy(dict(config)))
    fields = tiny_fields(kind, usual)
    alias = {old: new for old, new in kind.attribute_map.items() if new in fields}
    made = {key: _small(key, value, fields, alias) for key, value in config.items()}
    told = {OTHER_NAMES.get(key, alias.get(key, key)) for key in made}
    made |= {key: v for key, v in fields.items() if key not in told and key in (*SIZES, *TOKENS)}
    return _lists(made, config, fields)


def _small(key: str, value: Any, fields: Mapping[str, Any], alias: Mapping[str, str]) -> Any:
    name = {v: k for k, v in alias.items()}.get(key, alias.get(key, key))
    if isinstance(value, dict) and key.endswith("_config") and isinstance(fields.get(key), dict):
        inner = fields[key]
        return {k: _small(k, v, inner, {}) for k, v in value.items()} | {
            k: v for k, v in inner.items() if k not in value and k in SIZES
        }
    name = OTHER_NAMES.get(key, name)
    if key in ("rope_scaling", "rope_parameters") and value:
        return _rope(value, fields)
    if key == "partial_rotary_factor" and 16 * value % 2:
        return 0.5  # of a small head, an even number of columns
    whole = isinstance(value, (int, float)) and not isinstance(value, bool)
    if (value == 0 and key not in TOKENS) or (
        not whole and not (isinstance(value, list) and key in TOKENS)
    ):
        return value
    for each in (key, name):
        if each in fields and isinstance(fields[each], (int, list)):
            return fields[each] if not isinstance(value, list) else [2, 5][: len(value)]
    return SIZES.get(key, value)


def _rope(value: Mapping[str, Any], fields: Mapping[str, Any]) -> Config:
    """RoPE's parameters for few positions and small heads."""
    made = copy.deepcopy(dict(value))
    if "original_max_position_embeddings" in made:
        made["original_max_position_embeddings"] = 32
    for name in ("short_factor", "long_factor"):
        if name in made:
            made[name] = made[name][: _turned(fields) // 2]
    return made


def _turned(fields: Mapping[str, Any]) -> int:
    """How many columns of a small head are rotated."""
    head = fields.get("head_dim") or fields["hidden_size"] // fields["num_attention_heads"]
    part = (fields.get("rope_parameters") or {}).get("partial_rotary_factor", 1.0)
    return int(head * part)


def _lists(made: Config, config: Mapping[str, Any], fields: Mapping[str, Any]) -> Config:
    """Lists with an entry for each layer, as many as there are small layers."""
    counts = [key for key in LAYER_COUNTS if isinstance(config.get(key), int)]
    layers = max((config[key] for key in counts), default=-1)
    few = max((made[key] for key in counts), default=0)
    for key, value in config.items():
        if isinstance(value, list) and len(value) == layers and key not in TOKENS:
            kinds = list(dict.fromkeys(map(str, value)))
            whole = value[:few] if len(kinds) == 1 else [*value[: few - 1], value[-1]]
            made[key] = whole
            if key == "attention_window":
                made[key] = [8] * few
    if "attention_types" in config:
        made["attention_types"] = [[["global", "local"], few // 2]]
    made |= {key: 1 for key in made if key.startswith("num_sparse_")}
    if len(made.get("conv_dim") or ()) == 7:
        made["conv_dim"] = [16] * 7
    return made


def reference(config: Config, folder: Path) -> tuple[PreTrainedModel, str]:
    """The library's model of a small config, every weight at random, saved beside that config."""
    text = json.dumps(config)
    (folder / "config.json").write_text(text, encoding="utf-8")
    name = (config.get("architectures") or [""])[0]
    name = SPELLINGS.get(name, name)
    kind = getattr(transformers, name or _base(config["model_type"]))
    torch.manual_seed(0)
    settings = CONFIG_MAPPING[config["model_type"]].from_pretrained(folder)
    settings.dtype = torch.float32
    model = kind(settings).float().eval()
    move(model, 1)
    model.save_pretrained(folder)
    (folder / "config.json").write_text(text, encoding="utf-8")
    model = kind.from_pretrained(folder, config=settings, dtype=torch.float32).eval()
    return model, name


def _base(model_type: str) -> str:
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    found = MODEL_MAPPING_NAMES[model_type]
    return str(found if isinstance(found, str) else found[0])


def error(config: Config, folder: Path) -> float:
    """How far the imported model is from the library's, relative to the largest number."""
    model, name = reference(config, folder)
    data = _asked(model, name)
    with torch.no_grad():
        output: Any = model(**copy.deepcopy(_for_the_library(data, name)))
    imported = mw.from_pretrained(folder, dtype=torch.float32)
    bare = "logits" not in output and "last_hidden_state" in output
    expected = _result(output, name)
    return distance(_ours(imported, data, expected, bare), expected)


def _ours(model: nn.Module, data: Mapping[str, Any], expected: Tensor, bare: bool) -> Tensor:
    return ours(model, data, "base" if bare else "", expected)


def _asked(model: PreTrainedModel, name: str) -> dict[str, Any]:
    head = "speech_seq2seq" if name.startswith("Whisper") else "base"
    data = questions(model, Case(model.config.model_type, head))
    if re.search(r"(Bart|T5)ForSequenceClassification", name):
        ids = data["input_ids"]
        ids[:, -1] = model.config.eos_token_id
        start = torch.full((len(ids), 1), model.config.decoder_start_token_id)
        data["decoder_input_ids"] = torch.cat([start, ids[:, :-1]], 1)
    if name.startswith("CLIP"):  # the end of a text is its largest id
        words = getattr(model.config, "text_config", model.config).vocab_size
        data["input_ids"][:, -2] = words - 1
    if name in ("CLIPModel", "SiglipModel"):
        size = model.config.vision_config.image_size
        data["pixel_values"] = torch.randn(2, 3, size, size)
    return data


def _for_the_library(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    drop = {"decoder_input_ids"} if name.endswith("ForSequenceClassification") else set()
    return {key: value for key, value in data.items() if key not in drop}


def _result(output: Any, name: str) -> Tensor:
    """The one result that is compared."""
    if "start_logits" in output:
        return torch.stack([output.start_logits, output.end_logits], -1)
    if name == "ElectraForPreTraining":
        return output.logits[..., None]
    order = ("logits", "prediction_logits", "projected_states", "logits_per_image")
    for key in (*order, "last_hidden_state"):
        if output.get(key) is not None:
            result: Tensor = output[key]
            return result
    raise AssertionError(list(output))

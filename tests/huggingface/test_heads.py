"""Imported models of classes other than language models equal the library's."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import PreTrainedModel
from transformers.models.auto import modeling_auto

import modelwright as mw
from modelwright.backends.huggingface import FAMILIES

sys.path.append(str(Path(__file__).parents[1] / "parity"))

from judge.calling import distance, ours
from tiny import Case
from tiny.inputs import SPECIAL_INPUTS, tokens
from tiny.models import config_of, move

TABLES = (
    *("MODEL", "MODEL_FOR_SEQUENCE_CLASSIFICATION", "MODEL_FOR_MULTIPLE_CHOICE"),
    *("MODEL_FOR_TOKEN_CLASSIFICATION", "MODEL_FOR_QUESTION_ANSWERING", "MODEL_FOR_PRETRAINING"),
    *("MODEL_FOR_NEXT_SENTENCE_PREDICTION", "MODEL_FOR_TEXT_ENCODING"),
)
ROWS, LENGTH = 2, 16
SAMPLE = (
    *("BartForSequenceClassification", "BertForMultipleChoice", "BertForNextSentencePrediction"),
    *("T5EncoderModel", "ElectraForPreTraining", "XLNetForSequenceClassification"),
    *("GPT2ForTokenClassification", "AlbertForPreTraining", "XLMForMultipleChoice"),
    *("Qwen3MoeForQuestionAnswering", "DebertaForSequenceClassification", "VoxtralModel"),
)
"""What the normal run tries."""


def texts() -> Iterator[Any]:
    """Model type and class of every such pair that reads text and is imported."""
    seen: set[tuple[str, str]] = set()
    for table in TABLES:
        for kind, classes in getattr(modeling_auto, f"{table}_MAPPING_NAMES").items():
            family = FAMILIES.get(kind)
            if family is None or kind in SPECIAL_INPUTS or not _reads_text(family.spec):
                continue
            for name in classes if isinstance(classes, tuple) else (classes,):
                known = name in family.heads or (family.other and name in family.other.heads)
                if known and (kind, name) not in seen:
                    seen.add((kind, name))
                    slow = () if name in SAMPLE else pytest.mark.slow
                    yield pytest.param(kind, name, marks=slow, id=f"{kind}-{name}")


def _reads_text(spec: Any) -> bool:
    stacks = spec.get("stacks", {})
    source = spec.get("input") or {}
    return "vocab_size" in spec and not stacks and not isinstance(source.get("layers"), list)


def settings(model_type: str, name: str) -> Any:
    config = config_of(Case(model_type, "base"))
    config.num_labels = 2 if "Answering" in name else 3
    if getattr(config, "pad_token_id", None) is None:
        config.pad_token_id = 0
    if model_type in ("t5", "plbart"):
        config.decoder_start_token_id = 0
    if model_type == "deberta-v2":
        config.conv_kernel_size = 0
    return config


def model_of(model_type: str, name: str, folder: Path) -> PreTrainedModel:
    kind = getattr(transformers, name)
    torch.manual_seed(0)
    model = kind(settings(model_type, name)).float().eval()
    move(model, 1)
    model.save_pretrained(folder)
    read: PreTrainedModel = kind.from_pretrained(
        folder, config=model.config, dtype=torch.float32
    ).eval()
    return read


def asked(model: PreTrainedModel, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The inputs of our model, and of the library's."""
    config: Any = model.config
    ids = tokens(torch.Generator().manual_seed(2), ROWS, LENGTH)
    pair = config.is_encoder_decoder and not name.endswith(("EncoderModel", "TokenClassification"))
    if not pair:
        choices = {"input_ids": ids[None]} if name.endswith("MultipleChoice") else {}
        return {"input_ids": ids}, {"input_ids": ids, **choices}
    if name.endswith("SequenceClassification"):
        ids[:, -1] = config.eos_token_id
    if not name.endswith(("SequenceClassification", "Answering")):
        both = {"input_ids": ids, "decoder_input_ids": ids[:, :12]}
        return both, both
    return {"input_ids": ids, "decoder_input_ids": _later(ids, config)}, {"input_ids": ids}


def _later(ids: torch.Tensor, config: Any) -> torch.Tensor:
    """The text one place later, as the library gives it to the decoder; mBART begins with eos."""
    start = config.decoder_start_token_id
    if config.model_type in ("mbart", "plbart"):
        return ids.roll(1, dims=-1)
    return torch.cat([torch.full((ROWS, 1), start), ids[:, :-1]], 1)


def result(output: Any, name: str) -> torch.Tensor:
    if "start_logits" in output:
        return torch.stack([output.start_logits, output.end_logits], -1)
    if name == "ElectraForPreTraining":
        return output.logits[..., None]
    if name.endswith("MultipleChoice"):
        return output.logits.reshape(-1, 1)
    found = (output.get(key) for key in ("logits", "prediction_logits", "last_hidden_state"))
    return next(tensor for tensor in found if tensor is not None)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("model_type, name", list(texts()))
def test_head(model_type: str, name: str) -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "tiny"
        model = model_of(model_type, name, folder)
        data, theirs = asked(model, name)
        with torch.no_grad():
            output = model(**theirs)
        expected = result(output, name)
        imported = mw.from_pretrained(folder, dtype=torch.float32)
    head = "base" if "last_hidden_state" in output and "logits" not in output else ""
    assert distance(ours(imported, data, head, expected), expected) < 2e-5

"""The training script against a loop as short as nanoGPT's, on the same samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import SETTINGS, log_of
from torch import Tensor, nn
from torch.nn import functional as F

from modelwright.training.emitted import train
from modelwright.training.emitted.model import Model
from modelwright.training.emitted.optimizers import learning_rate
from modelwright.training.emitted.settings import Settings, checked
from modelwright.training.emitted.text import Samples
from modelwright.training.encoding import read_tokenizer
from modelwright.training.token_files import Request, write_data


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a run on one long document, so that all micro-batches have as many labels."""
    from pydoc_data import topics

    text = "\n".join(list(topics.topics.values())[:10])
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    request = Request([tmp_path / "text.txt"], "text", read_tokenizer("bytes"), None, 0.1)
    write_data(request, tmp_path / "tokens")
    return checked({**SETTINGS, "data": str(tmp_path / "tokens")})


@pytest.fixture(autouse=True)
def no_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nn.Dropout, "forward", lambda _self, x: x)


def plain_loop(s: Settings) -> Iterator[float]:
    """Accumulate, clip, step, as nanoGPT's train.py does (Karpathy 2022)."""
    torch.manual_seed(s.seed)
    model, samples = Model(), Samples(Path(s.data), "train", s.length, s.seed)
    decay = [w for w in model.parameters() if w.dim() >= 2]
    rest = [w for w in model.parameters() if w.dim() < 2]
    groups: list[dict[str, Any]] = [
        {"params": decay, "weight_decay": s.weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=s.lr, betas=(s.beta1, s.beta2))
    parts = s.batch // s.micro_batch
    for step in range(s.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, s)
        total = 0.0
        for part in range(parts):
            first = step * s.batch + part * s.micro_batch
            inputs, labels = samples.batch(first, s.micro_batch)
            logits = model(inputs["input_ids"])
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), labels.view(-1))
            if hasattr(model, "auxiliary_loss"):
                loss = loss + model.auxiliary_loss()
            loss = loss / parts
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(model.parameters(), s.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        yield total


def test_the_losses_are_those_of_a_plain_loop(settings: Settings, tmp_path: Path) -> None:
    train.Run(settings, tmp_path).run()
    found = [line["loss"] for line in log_of(tmp_path) if "loss" in line]
    assert found == pytest.approx(list(plain_loop(settings)), abs=1e-5)
    assert found[-1] < found[0] - 0.3


def test_the_losses_of_routers_are_those_of_a_plain_loop(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def auxiliary(model: Model) -> Tensor:
        return 5 * model.head.weight.square().mean()

    monkeypatch.setattr(Model, "auxiliary_loss", auxiliary, raising=False)
    train.Run(settings, tmp_path).run()
    found = [line["loss"] for line in log_of(tmp_path) if "loss" in line]
    assert found == pytest.approx(list(plain_loop(settings)), abs=1e-5)


def test_a_signal_saves_and_ends(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "SIGNALS", [15])
    with pytest.raises(SystemExit) as stopped:
        train.Run(settings, tmp_path).run()
    assert stopped.value.code == 1
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-00000001"]
    monkeypatch.setattr(train, "SIGNALS", [])
    train.Run(settings, tmp_path).run()
    assert len([line for line in log_of(tmp_path) if "loss" in line]) == settings.steps


def test_bfloat16_and_smoothing_change_the_loss_as_expected(
    settings: Settings, tmp_path: Path
) -> None:
    first = {}
    for name, changes in {
        "plain": {}, "bfloat16": {"bfloat16": True}, "smooth": {"label_smoothing": 0.5},
    }.items():  # fmt: skip
        values = {**vars(settings), "steps": 1, "lr": 0.0, **changes}
        (tmp_path / name).mkdir()
        train.Run(checked(values), tmp_path / name).run()
        first[name] = log_of(tmp_path / name)
    assert first["bfloat16"][0]["loss"] == pytest.approx(first["plain"][0]["loss"], rel=0.01)
    assert first["bfloat16"][0]["loss"] != first["plain"][0]["loss"]
    assert first["smooth"][0]["loss"] != first["plain"][0]["loss"]
    assert first["smooth"][-1]["val_loss"] == first["plain"][-1]["val_loss"]  # not in evaluation

"""Runs for the attention tab: the child process, its limits, and exports of figures."""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from explore_server import EXAMPLES, SMALL, Serve

import modelwright as mw
from modelwright import prompting
from modelwright.compiler.display import to_yaml
from modelwright.explorer import answer, page_files
from modelwright.explorer.request import RequestError, read_run
from modelwright.explorer.runner import ENDED, STOPPED, Runner
from modelwright.explorer.worker import MOST_TOKENS, run

BYTES = SMALL.replace("vocab_size: 32", "vocab_size: 256")


def asked(text: str = BYTES, prompt: str = "a cat", **more: Any) -> dict[str, Any]:
    files = {"folder": None, "weights": None, "tokenizer": None, "target": None}
    return {"text": text, "name": "spec.yaml", "prompt": prompt, **files, **more}


def unpacked(found: dict[str, Any]) -> torch.Tensor:
    numbers = np.frombuffer(base64.b64decode(found["weights"]), "<u2").reshape(found["shape"])
    return torch.from_numpy(numbers / 65535)


IMAGES = (
    BYTES.replace("decoder-only", "encoder-only")
    .replace("vocab_size: 256", "input: {type: patches, image_size: 8, patch_size: 4}")
    .replace("max_positions: 16\nd", "d")
    .replace("head: language_model\n", "")
)
TEXT = BYTES.replace("positions: learned", "positions: rotary").replace("max_positions: 16\n", "")


def test_a_run_has_the_maps_and_the_next_tokens_of_the_model() -> None:
    threads = torch.get_num_threads()
    found = run(asked(TEXT))
    assert torch.get_num_threads() == threads  # the server sets them for its child alone
    model = mw.compile(mw.loads(TEXT), seed=0).eval()
    ids = torch.tensor([list(b"a cat")])
    maps = mw.attention_maps(model, input_ids=ids)
    assert [each["name"] for each in found["maps"]] == list(maps)
    for each in found["maps"]:
        assert (unpacked(each) - maps[each["name"]][0]).abs().max() < 1e-5
    assert found["tokens"] == {"decoder": ["a", "·", "c", "a", "t"]}
    with torch.no_grad():
        logits = model(ids)[0, -1]
    assert found["next"]["logits"][:3] == pytest.approx(logits.topk(3).values.tolist(), abs=1e-3)
    assert len(found["next"]["logits"]) == 256
    assert found["note"].startswith("Random weights: start with --weights")


def test_weights_of_the_command_line_are_used_where_they_fit(tmp_path: Path) -> None:
    model = mw.compile(mw.loads(TEXT), seed=7).eval()
    mw.save_weights(model, tmp_path / "own.safetensors")
    weights = str(tmp_path / "own.safetensors")
    found = run(asked(TEXT, weights=weights))
    assert found["note"] == "Weights of own.safetensors."
    maps = mw.attention_maps(model, input_ids=torch.tensor([list(b"a cat")]))
    assert (unpacked(found["maps"][0]) - maps["layers.0.attention"][0]).abs().max() < 1e-5
    other = run(asked(TEXT.replace("d_model: 16", "d_model: 32"), weights=weights))
    assert other["note"] == "Random weights: those of own.safetensors do not fit this spec."


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"text": SMALL}, "32 tokens, too few for text; write numbers below 32, such as `0 1 2`"),
        ({"text": SMALL, "prompt": "1 32"}, "write numbers below 32"),
        ({"text": IMAGES}, "small reads no text, but pixel_values"),
        ({"prompt": ""}, "the prompt contains no tokens"),
        ({"prompt": "a" * (MOST_TOKENS + 1)}, "65 tokens; the page shows at most 64"),
        ({"text": f"{TEXT}colour: red\n"}, "unknown key `colour`"),
        ({"text": TEXT.replace("d_model: 16", "d_model: 4096")}, "the page runs models of at most"),
        ({"target": "b"}, "small has no second stack that reads a target text"),
    ],
)
def test_models_that_cannot_be_run_are_reported(changes: dict[str, str], message: str) -> None:
    assert message in run({**asked(TEXT), **changes})["error"]


@pytest.mark.parametrize("name", ["tiny_t5", "tiny_encoder_decoder", "transformer_base"])
def test_a_decoder_that_reads_another_stack_has_a_next_token(name: str) -> None:
    """After a target, and after what the model writes; the first text suits each vocabulary."""
    sets = () if name.startswith("tiny") else ("d_model=48", "layers=1", "vocab_size=300")
    text = to_yaml(mw.load(EXAMPLES / f"{name}.yaml", sets=sets))
    found = run({**asked(text, name=f"{name}.yaml"), "prompt": None})
    assert "error" not in found
    model = mw.compile(mw.loads(text), seed=0).eval()
    size = model.config.vocab_size
    numbers = name == "tiny_encoder_decoder"
    assert found["prompt"] == ("0 1 2 3 4 5 6 7" if numbers else "To be, or not to be")
    ids = [int(n) for n in found["prompt"].split()] if numbers else list(found["prompt"].encode())
    source = torch.tensor([ids])
    written = model.generate(source, max_new_tokens=24, temperature=0)[:, :-1]
    with torch.no_grad():
        logits = model(source, written)[0, -1]
    wanted = logits.sort(descending=True).values.tolist()
    assert len(found["next"]["logits"]) == size
    assert found["next"]["logits"] == pytest.approx(wanted, abs=1e-3)


def test_an_encoder_has_no_next_token() -> None:
    text = TEXT.replace("decoder-only", "encoder-only").replace("head: language_model\n", "")
    found = run(asked(text))
    assert found["next"] is None
    assert found["tokens"] == {"encoder": ["a", "·", "c", "a", "t"]}


# -- the child process

ECHO = """
import json, sys, time
print('{"ready": true}', flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if asked["do"] == "sleep":
        time.sleep(60)
    if asked["do"] == "end":
        sys.exit(1)
    print(json.dumps({"did": asked["do"]}), flush=True)
"""


def test_a_run_that_takes_too_long_is_stopped_and_the_next_one_works() -> None:
    runner = Runner([sys.executable, "-c", ECHO], seconds=3)
    try:
        assert runner.run({"do": "walk"}) == {"did": "walk"}
        first = runner._child
        assert runner.run({"do": "walk"}) == {"did": "walk"}
        assert runner._child is first
        assert runner.run({"do": "sleep"}) == {"error": STOPPED}
        assert first is not None
        assert first.poll() is not None
        assert runner.run({"do": "end"}) == {"error": ENDED}
        runner.seconds = 20
        assert runner.run({"do": "walk"}) == {"did": "walk"}
    finally:
        runner.stop()


def test_the_server_runs_models_with_its_own_files_only(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A page cannot name files: weights and tokenizer are those of the command line."""
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(Runner, "run", lambda self, asked: given.append(asked) or {"maps": []})
    for name in ("index.html", "page.js", "page.css"):  # whether or not the page is built
        (tmp_path / name).write_text("//", encoding="utf-8")
    monkeypatch.setattr(page_files, "BUNDLE", tmp_path)
    served = serve(weights=tmp_path / "own.safetensors")
    question = {"text": SMALL, "prompt": "a", "folder": "examples"}
    assert served.post("/api/run", question) == (200, {"maps": []})
    assert given[0]["weights"] == str(tmp_path / "own.safetensors")
    assert given[0]["tokenizer"] is None
    for more in ({"weights": "/etc/passwd"}, {"tokenizer": "x"}, {"prompt": "a" * 2001}):
        assert served.post("/api/run", {**question, **more})[0] == 400
    assert served.post("/api/run", question, X_Modelwright_Token="no")[0] == 403
    assert len(given) == 1


def test_a_run_is_checked() -> None:
    with pytest.raises(RequestError, match="prompt"):
        read_run({"text": SMALL, "prompt": 3})
    assert read_run({"text": SMALL}).prompt is None
    assert read_run({"text": SMALL, "prompt": "a"}).target is None


# -- exports


@pytest.mark.parametrize(
    ("format", "start"), [("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF")]
)
def test_figures_are_exported(format: str, start: bytes) -> None:
    found = answer({"ask": "export", "text": SMALL, "format": format, "depth": "module"})
    data = base64.b64decode(found["data"])
    assert data.startswith(start)
    options = mw.DrawOptions(depth="module", theme="light")
    assert data == mw.draw(mw.loads(SMALL, "spec.yaml"), format, options)


def test_bytes_have_names_of_in_one_form() -> None:
    """A byte above 127 is no letter: `\\xbb`, as `\\x10` and `\\n` are no signs."""
    names = [prompting.BYTES.name(number) for number in (65, 32, 10, 16, 0xBB, 255, 256)]
    assert names == ["A", "·", "\\n", "\\x10", "\\xbb", "\\xff", "256"]

"""Tiny image encoders, and their text encoders, imported from the library's files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny_towers import END, IMAGE, TEXT, TOWERS, question, tiny

import modelwright as mw
from modelwright.backends.huggingface import CheckpointError, export, import_folder

sys.path.insert(0, str(Path(__file__).parents[1] / "parity"))

from perturb import perturb, relative_error

Saved = Callable[..., tuple[Path, Any]]


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """`saved("vit")`: a folder, and the model that lies there."""

    def make(case: str) -> tuple[Path, Any]:
        folder = tmp_path / case.replace(" ", "-")
        theirs = perturb(tiny(case))
        theirs.save_pretrained(folder)  # type: ignore[operator]
        return folder, theirs

    return make


def config(folder: Path, **changes: Any) -> None:
    """Write some keys of config.json otherwise."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.sampled(4)
@torch.no_grad()
@pytest.mark.parametrize("case", TOWERS)
def test_the_results_are_the_library_s(case: str, saved: Saved) -> None:
    folder, theirs = saved(case)
    ours, asked = mw.from_pretrained(folder), question(theirs)
    output = theirs(asked)
    found = [name for name in ("logits", "image_embeds", "text_embeds") if name in output]
    wanted = output[found[0] if found else "last_hidden_state"]
    if not found and "\nhead: " in import_folder(folder):
        assert relative_error(ours.hidden_states(asked), wanted) < 2e-5
        wanted = output.pooler_output
    assert relative_error(ours(asked), wanted) < 2e-5, import_folder(folder)


def test_a_bare_encoder_without_a_pooler(saved: Saved) -> None:
    folder, _ = saved("vit")
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if "pooler" not in name}
    save_file(kept, folder / "model.safetensors")
    assert "\nhead:" not in import_folder(folder)
    assert mw.from_pretrained(folder)(torch.zeros(1, 3, 22, 22)).shape == (1, 17, 32)


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"image_size": [22, 27]}, "`image_size: [22, 27]` is not supported yet, only equal sides"),
        ({"patch_size": [5, 5, 5]}, "`patch_size: [5, 5, 5]` is not supported yet"),
        ({"image_size": None}, "`image_size: None` is not supported yet"),
        ({"image_size": [[22, 22]]}, "`image_size: [[22, 22]]` is not supported yet"),
    ],
)
def test_grids_that_are_not_square_are_refused(changes: Any, said: str, saved: Saved) -> None:
    folder, _ = saved("vit")
    config(folder, **changes)
    with pytest.raises(CheckpointError) as caught:
        import_folder(folder)
    assert said in str(caught.value)


def test_the_prefix_tokens_are_in_two_tensors(saved: Saved) -> None:
    """Each has rows of ours; both must be there, and as wide as the model."""
    folder, _ = saved("deit")
    tensors = load_file(folder / "model.safetensors")
    mine = mw.from_pretrained(folder).state_dict()["prefix_tokens"]
    names = [f"embeddings.{kind}_token" for kind in ("cls", "distillation")]
    assert torch.equal(mine, torch.cat([tensors[name][0] for name in names]))

    save_file({**tensors, names[1]: torch.zeros(1, 1, 31)}, folder / "model.safetensors")
    with pytest.raises(CheckpointError) as caught:
        mw.from_pretrained(folder)
    said = f"shape of {names[1]}: (1, 1, 31) in the file, but (32,) in the model (prefix_tokens)"
    assert said in str(caught.value)

    del tensors[names[1]]
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"missing: embeddings\.distillation_token"):
        mw.from_pretrained(folder)


def test_images_of_another_size_than_the_positions(saved: Saved) -> None:
    """The library stretches DINOv2's positions; here the size is said, and another refused."""
    folder, _ = saved("dinov2")
    assert "Images are 22 pixels wide and high" in " ".join(import_folder(folder).split())
    with pytest.raises(
        ValueError, match=r"must have the shape \(B, 3, 22, 22\), not \(1, 3, 32, 32\)"
    ):
        mw.from_pretrained(folder)(torch.zeros(1, 3, 32, 32))


@torch.no_grad()
@pytest.mark.parametrize(
    "case",
    [
        "vit classes",
        "deit",
        "ijepa",
        "clip image vector",
        "ast classes",
        "dinov3 gated",
        "deit with a teacher",
    ],
)
def test_it_is_exported_as_the_library_s_class(case: str, saved: Saved, tmp_path: Path) -> None:
    """With every tensor that the class has, in the shape that the library writes."""
    folder, theirs = saved(case)
    spec = mw.loads(import_folder(folder))
    written = export(spec, mw.from_pretrained(folder), tmp_path / "exported")
    kind: Any = getattr(transformers, type(theirs).__name__)
    again, told = kind.from_pretrained(written, output_loading_info=True)
    assert not any(told.values())
    asked = question(theirs)
    assert relative_error(again.eval()(asked)[0], theirs(asked)[0]) < 1e-6
    names = load_file(folder / "model.safetensors").keys()
    assert load_file(written / "model.safetensors").keys() == names


@torch.no_grad()
@pytest.mark.parametrize("name", ["CLIP", "MetaClip2"])
def test_both_towers_and_their_scores(name: str, tmp_path: Path) -> None:
    """A row for each image, a column for each text; the loss is the library's."""
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(
        vision_config={**IMAGE, "hidden_size": 40}, text_config={**TEXT, **END, "eos_token_id": 3}
    )
    theirs: Any = perturb(getattr(transformers, f"{name}Model")(config).eval())
    theirs.save_pretrained(tmp_path)
    ours = mw.from_pretrained(tmp_path)
    images, ids = torch.randn(3, 3, 22, 22), torch.randint(4, 39, (3, 12))
    ids[:, 9] = 3
    wanted = theirs(input_ids=ids, pixel_values=images, return_loss=True)
    assert relative_error(ours(images, ids), wanted.logits_per_image) < 2e-5
    assert torch.allclose(ours.loss(ours(images, ids)), wanted.loss, rtol=1e-5)
    assert ours(images[:1], ids).shape == (1, 3)
    text = import_folder(tmp_path)
    assert text.count("positions: learned") == 1  # both towers', said once


def test_a_part_of_a_class_is_not_exported_as_it(saved: Saved, tmp_path: Path) -> None:
    """The library would fill in the norm of CLIP's pooled vector at random."""
    folder, _ = saved("clip image")
    spec = mw.loads(import_folder(folder))
    written = export(spec, mw.from_pretrained(folder), tmp_path / "exported")
    assert "auto_map" in json.loads((written / "config.json").read_text())  # code of its own


SHORT = {**TEXT, **END, "eos_token_id": 3}
OLDER: dict[str, dict[str, Any]] = {
    "text": {"text_config_dict": {**SHORT, "hidden_act": "gelu"}},
    "vision": {"vision_config_dict": {**IMAGE, "hidden_act": "relu", "layer_norm_eps": 1e-3}},
    "neither": {"text_config_dict": None, "vision_config_dict": None},
}


@pytest.mark.parametrize("name", OLDER)
def test_older_keys_of_a_tower_override_the_newer_ones(name: str, tmp_path: Path) -> None:
    """`text_config_dict` and the defaults of what it leaves out were read as without effect."""
    config = {
        "architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": 16,
        "text_config": {**SHORT, "model_type": "clip_text_model", "layer_norm_eps": 1e-3},
        "vision_config": {**IMAGE, "model_type": "clip_vision_model"}, **OLDER[name],
    }  # fmt: skip
    text = json.dumps(config)
    (tmp_path / "config.json").write_text(text)
    torch.manual_seed(0)
    settings = transformers.CLIPConfig.from_pretrained(tmp_path)
    theirs: Any = transformers.CLIPModel(settings).eval()
    for weight in theirs.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    theirs.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(text)
    ids, image = torch.randint(4, 39, (2, 7)), torch.randn(2, 3, 22, 22)
    ids[:, -1] = 3
    with torch.no_grad():
        expected = theirs(input_ids=ids, pixel_values=image).logits_per_image
        found = mw.from_pretrained(tmp_path)(image, ids)
    assert torch.allclose(found, expected, atol=1e-5)

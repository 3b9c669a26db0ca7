"""Plug-ins: the one of docs/extending.md, from a file and from a package, and errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import modelwright as mw
from modelwright import plugins
from modelwright.backends.verify import verify
from modelwright.plugins import PluginError, load_plugin
from modelwright.spec.installed import GROUP

HOME = Path(mw.__file__).parent


def block(language: str) -> str:
    """The first block of this language in docs/extending.md."""
    text = (HOME / "docs/extending.md").read_text(encoding="utf-8")
    found = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


SPEC = block("yaml")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shared_qk.py"
    path.write_text(block("python"), encoding="utf-8")
    (tmp_path / "tiny.yaml").write_text(SPEC, encoding="utf-8")
    return path


@pytest.fixture
def loaded(file: Path) -> Iterator[Path]:
    from modelwright.backends.reference import COMPUTE

    before = set(COMPUTE)
    plugin = load_plugin(file)
    yield file
    plugin.unregister()
    assert set(COMPUTE) == before


def package(folder: Path, name: str, text: str, kind: str = "shared_qk") -> None:
    """A package as pip installs it: its module, and the metadata of its entry point."""
    (folder / f"{name}.py").write_text(text, encoding="utf-8")
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{kind} = {name}:PLUGIN\n")


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    paths = [str(folder / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return subprocess.run(
        [sys.executable, "-m", "modelwright", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def installed(file: Path) -> Path:
    """A folder with a spec, and with a package in `site`."""
    (file.parent / "site").mkdir()
    package(file.parent / "site", "reformer", block("python"))
    file.unlink()
    return file.parent


# -- what a plug-in gets


def test_the_emitted_file_computes_the_formula(loaded: Path) -> None:
    """softmax(q k / sqrt(E)) v, written out, with k = g q / |q|; and it needs no plug-in."""
    graph = mw.lower(mw.loads(SPEC))
    text = mw.emit(graph)
    assert "-o tiny_shared_qk.py --plugin shared_qk.py" in text
    assert text.count("plugin") == 1
    model = mw.compile(graph, dtype="float64", seed=0).eval()
    part = model.layers[0].attention
    torch.nn.init.normal_(part.key_gain)
    x = torch.randn(2, 5, 64, dtype=torch.float64)
    q, v = (layer(x).view(2, 5, 4, 16).transpose(1, 2) for layer in (part.query, part.value))
    k = part.key_gain * q / q.square().sum(-1, keepdim=True).sqrt()
    scores = (q @ k.transpose(2, 3) / 4).masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf)
    expected = part.output((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
    assert torch.allclose(part(x, None, None), expected, atol=1e-12, rtol=0)


def test_costs_figures_docs_and_schema_know_it(loaded: Path) -> None:
    spec = mw.loads(SPEC)
    graph = mw.lower(spec)
    assert mw.report(graph).weights_total == sum(p.numel() for p in mw.compile(graph).parameters())
    assert b"unit length" in mw.draw(graph, options=mw.DrawOptions(depth="ops"))
    from modelwright.spec import json_schema, language_reference

    assert "One projection for queries and keys" in language_reference()
    assert "shared_qk" in str(json_schema()["$defs"]["cross_attention"])
    assert "shared_qk" in mw.to_yaml(spec)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("attention.head=3", "unknown key `head`; did you mean `heads`?"),
        ("attention.heads=5", "d_model (64) must be a multiple of heads (5)"),
        ("attention.heads=many", "`heads` must be an integer from 1 to 100,000"),
        ("positions=rotary", "`positions: rotary` has no effect"),
    ],
)
def test_mistakes_are_located_as_for_built_in_types(
    loaded: Path, change: str, message: str
) -> None:
    with pytest.raises(mw.SpecErrors, match=re.escape(message)):
        mw.lower(mw.loads(SPEC, sets=[change]))


def test_an_argument_cannot_hide_a_function_of_a_plugin(tmp_path: Path) -> None:
    text = (
        block("python")
        .replace('"F.normalize(x, dim=-1) * weight"', '"gained(F.normalize(x, dim=-1), weight)"')
        .replace("ops=(UNIT_LENGTH,)", "ops=(UNIT_LENGTH,), functions=(gained,)")
        .replace("def gains", "def gained(x, gain):\n    return x * gain\n\n\ndef gains")
    )
    (tmp_path / "functions.py").write_text(text, encoding="utf-8")
    plugin = load_plugin(tmp_path / "functions.py")
    try:
        code = mw.emit(mw.lower(mw.loads(SPEC)))
        assert "def gained(x, gain):" in code
        mw.compile(mw.loads(SPEC))(torch.ones(1, 3, dtype=torch.long))
        with pytest.raises(mw.SpecErrors, match="gained"):
            mw.loads(SPEC, sets=["input={argument: gained}"])
    finally:
        plugin.unregister()
    with pytest.raises(mw.SpecErrors, match="unknown type `shared_qk`"):
        mw.loads(SPEC)


def test_its_costs_are_those_of_torch(loaded: Path) -> None:
    report = verify(mw.loads(SPEC), laws=["reference", "costs"])
    assert report.holds, report.render()


@pytest.mark.slow
def test_every_law_holds_and_there_is_no_oracle(file: Path) -> None:
    result = command(file.parent, "verify", "tiny.yaml", "--plugin", "shared_qk.py")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "no oracle for `shared_qk`, which is a plug-in" in result.stdout


# -- commands and packages


def test_commands_take_a_file(file: Path) -> None:
    folder = file.parent
    refused = command(folder, "build", "tiny.yaml", "-o", "-")
    assert refused.returncode == 2
    assert "tiny.yaml:8:19: unknown type `shared_qk`" in refused.stderr
    built = command(folder, "build", "tiny.yaml", "-o", "-", "--plugin", "shared_qk.py")
    assert built.returncode == 0, built.stderr
    assert "F.normalize(q, dim=-1) * self.key_gain" in built.stdout


def test_an_installed_package_is_found_by_its_type(installed: Path) -> None:
    built = command(installed, "build", "tiny.yaml", "-o", "-")
    assert built.returncode == 0, built.stderr
    assert "self.key_gain" in built.stdout
    refused = command(installed, "check", "tiny.yaml", "--no-plugins")
    assert refused.returncode == 2
    assert "unknown type `shared_qk`" in refused.stderr


def test_a_package_is_loaded_only_for_its_type(installed: Path) -> None:
    (installed / "site/reformer.py").write_text("raise RuntimeError('loaded')\n")
    plain = command(installed, "check", "tiny.yaml", "--set", "attention={type: mha, heads: 4}")
    assert plain.returncode == 0, plain.stderr
    failed = command(installed, "check", "tiny.yaml")
    assert failed.returncode == 2
    assert "tiny.yaml:8:19: the plug-in `shared_qk` of the package reformer cannot be" in (
        failed.stderr
    )
    assert "RuntimeError: loaded" in failed.stderr


def test_two_packages_of_one_type_are_both_named(installed: Path) -> None:
    package(installed / "site", "other", block("python"))
    result = command(installed, "check", "tiny.yaml")
    assert result.returncode == 2
    assert "`shared_qk` is a plug-in of several packages, other and reformer" in result.stderr


# -- what is refused


def test_two_files_of_one_type_are_both_named(loaded: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text(block("python"), encoding="utf-8")
    with pytest.raises(PluginError, match=r"of two plug-ins, .*shared_qk\.py and .*other\.py"):
        load_plugin(other)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("PLUGIN = Plugin(", "OTHER = Plugin(", "has no `PLUGIN`"),
        ('"shared_qk"', '"mha"', "`mha` is an attention of Modelwright"),
        ('kind="unit_length"', 'kind="linear"', "`linear` is an op of Modelwright"),
        ('kind="unit_length"', 'kind="Unit"', "`Unit` must be a name of lower-case letters"),
        ("(Branch):", ":", "is not a subclass of `modelwright.plugins.Branch`"),
        ('    type: Literal["shared_qk"] = "shared_qk"\n', "", "SharedQk needs a type"),
        ("import numpy as np", "import nothing_of_this_name", "py:5: ModuleNotFoundError"),
        ("def gains(attrs):", "def gains(attrs:", "SyntaxError"),
        ("import numpy as np", "raise SystemExit(3)", "py:5: SystemExit: 3"),
        ("dim=-1) * weight", "dim=-1) * gain", "reads `gain`; it may read its inputs"),
        ("dim=-1) * weight", "dim=-1) * (", "is not an expression"),
    ],
)
def test_a_wrong_plugin_is_refused(file: Path, old: str, new: str, message: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(PluginError, match=re.escape(message)):
        load_plugin(file)
    assert "shared_qk" not in plugins.VARIANTS
    assert "unit_length" not in plugins.OPS


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    title = ", "    part.nothing\n    title = ", "AttributeError"),
        ("    return (Weight(", '    attrs["none"]\n    return (Weight(', "KeyError: 'none'"),
    ],
)
def test_an_error_in_its_functions_has_their_line(
    file: Path, old: str, new: str, message: str
) -> None:
    text = file.read_text(encoding="utf-8").replace(old, new, 1)
    file.write_text(text, encoding="utf-8")
    line = text[: text.index(new)].count("\n") + 1
    plugin = load_plugin(file)
    try:
        with pytest.raises(PluginError, match=rf"shared_qk\.py:{line}: {message}"):
            mw.lower(mw.loads(SPEC))
    finally:
        plugin.unregister()


def test_cross_attention_that_reads_no_memory_is_refused(loaded: Path) -> None:
    spec = mw.loads(
        "name: t\nfamily: encoder-decoder\nvocab_size: 9\nd_model: 8\nlayers: 1\n"
        "attention: {heads: 2}\ndecoder:\n"
        "  cross_attention: {type: shared_qk, heads: 2, memory: encoder}\n"
        "head: language_model\n"
    )
    with pytest.raises(mw.SpecErrors, match="`shared_qk` reads no memory"):
        mw.lower(spec)


def test_a_file_that_is_not_python(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"a plug-in is a file whose name ends in \.py"):
        load_plugin(tmp_path / "shared_qk.txt")

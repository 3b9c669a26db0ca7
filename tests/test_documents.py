"""The claims of README and CONTRIBUTING: their code is run, their output is compared."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from modelwright.cli import COMMANDS, cli
from modelwright.cli.new import example_names, example_text


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    found = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    return [text for kind, text in found if kind == language]


@pytest.fixture(scope="module")
def readme(root: Path) -> Path:
    return root / "README.md"


def test_readme_opens_with_the_example(readme: Path) -> None:
    written = [line for line in example_text("gpt2").splitlines() if line and line[0] != "#"]
    assert blocks(readme, "yaml")[0].splitlines() == written


def excerpt(emitted: str, *classes: str) -> str:
    """The head and the `forward` of some classes."""
    lines, shown = emitted.splitlines(), []
    for node in ast.parse(emitted).body:
        if isinstance(node, ast.ClassDef) and node.name in classes:
            (forward,) = (
                part
                for part in node.body
                if isinstance(part, ast.FunctionDef) and part.name == "forward"
            )
            body = "\n".join(lines[forward.lineno - 1 : forward.end_lineno])
            shown.append(f"{lines[node.lineno - 1]}\n    # …\n\n{body}\n")
    return "\n\n".join(shown)


def test_readme_shows_what_is_emitted(
    readme: Path, examples: Path, golden: Callable[[Path, str], None]
) -> None:
    spec = str(examples / "gpt2.yaml")
    emitted = CliRunner().invoke(cli, ["build", spec, "-o", "-"]).stdout
    shown = excerpt(emitted, "Attention", "Block")
    assert shown.count("def forward") == 2
    golden(readme, readme.read_text(encoding="utf-8").replace(blocks(readme, "python")[0], shown))


def test_readme_shows_real_mistakes(
    readme: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lines that the messages show, put into the spec, give these messages."""
    (session,) = (text for text in blocks(readme, "console") if " check " in text)
    command, _, message = session.partition("\n")
    lines = blocks(readme, "yaml")[0].splitlines()
    shown = re.findall(r"^gpt2\.yaml:(\d+):.*\n {2}(.*)$", message, re.M)
    assert len(shown) == 2
    for number, line in shown:
        lines[int(number) - 1] = line
    (tmp_path / "gpt2.yaml").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, command.removeprefix("$ modelwright ").split())
    assert result.exit_code == 2
    assert result.stderr.strip() == message.strip()


def test_readme_names_every_command_and_no_other(readme: Path) -> None:
    named = set(re.findall(r"`modelwright (\w+)", readme.read_text(encoding="utf-8")))
    assert named == set(COMMANDS)


def test_readme_counts_the_examples(readme: Path) -> None:
    assert f"one of {len(example_names())} examples" in readme.read_text(encoding="utf-8")


def test_links_lead_somewhere(root: Path) -> None:
    for page in root.glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (root / link).exists(), f"{page.name}: {link}"


def test_blocks_of_yaml_can_be_read(root: Path) -> None:
    for page in [*root.glob("*.md"), *(root / "docs").glob("*.md")]:
        for text in blocks(page, "yaml"):
            assert isinstance(yaml.safe_load(text), dict), page.name


@pytest.fixture
def walked(root: Path, tmp_path: Path) -> Path:
    """A copy of the package after the steps of "Add an attention variant"."""
    copy = tmp_path / "modelwright"
    for folder in ("spec", "compiler", "backends"):
        shutil.copytree(root / folder, copy / folder)
    for file in root.glob("*.py"):
        shutil.copy(file, copy)
    variant, oracle, lowering = blocks(root / "CONTRIBUTING.md", "python")
    (copy / "spec/attention/shared_qk.py").write_text(variant, encoding="utf-8")
    (copy / "backends/oracle/shared_qk.py").write_text(oracle, encoding="utf-8")
    (copy / "compiler/lower/attention/shared_qk.py").write_text(lowering, encoding="utf-8")
    (example,) = blocks(root / "CONTRIBUTING.md", "yaml")
    (tmp_path / "tiny_reformer.yaml").write_text(example, encoding="utf-8")
    change(
        copy / "spec/attention/__init__.py",
        ("Pairwise | Linear", "Pairwise | SharedQk | Linear"),
        ("from .score_bias", "from .shared_qk import SharedQk\nfrom .score_bias"),
        ('    "ScoreBias",', '    "ScoreBias",\n    "SharedQk",'),
    )
    change(
        copy / "compiler/lower/attention/__init__.py",
        ('"mha": lower_mha', '"mha": lower_mha, "shared_qk": lower_shared_qk'),
        ("from .mha", "from .shared_qk import lower_shared_qk\nfrom .mha"),
    )
    return tmp_path


def change(file: Path, *pairs: tuple[str, str]) -> None:
    text = file.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text, f"{file.name}: {old}"
        text = text.replace(old, new, 1)
    file.write_text(text, encoding="utf-8")


def test_the_walk_through_works(walked: Path) -> None:
    """The variant of CONTRIBUTING is checked, built, counted, drawn and run as it says."""
    code = textwrap.dedent("""
        import modelwright as mw, numpy as np, torch
        from modelwright.backends.reference import random_weights, run

        graph = mw.lower(mw.load("tiny_reformer.yaml"))
        model = mw.compile(graph, dtype="float64").eval()
        assert mw.report(graph).weights_total == sum(p.numel() for p in model.parameters())
        assert b"<svg" in mw.draw(graph)

        ids = torch.randint(256, (2, 9))
        weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
        results = run(graph, weights, {"input_ids": ids.numpy()})
        expected = results[next(iter(graph.outputs))]
        assert np.abs(model(ids).detach().numpy() - expected).max() < 1e-12
        assert model.generate(ids, 4).shape == (2, 13)
        print(mw.__file__)
    """)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=walked,
        env={**os.environ, "PYTHONPATH": str(walked)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(walked / "modelwright" / "__init__.py")

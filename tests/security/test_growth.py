"""Small specs that would grow without bound: `extends`, levels, layers and overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelwright.spec.files
from modelwright.spec import SpecErrors, load, loads
from modelwright.spec.display import pattern
from modelwright.spec.layers import MOST_LAYERS

HEAD = "name: x\nvocab_size: 9\nd_model: 8\nattention: {heads: 2}\n"
FAMILY = HEAD + "family: decoder-only\n"
STACKS = "stacks:\n" + "".join(f"  s{i}: {{input: {{argument: a{i}}}}}\n" for i in range(64))
BLOCKS = "blocks:\n" + "".join(f"  b{i}: {{dropout: 0.{i + 1:04d}}}\n" for i in range(200))
PATTERN = "layers: 400\npattern: [" + ", ".join(f"b{i}" for i in range(200)) + "]\n"
DIFFERENT = FAMILY + BLOCKS + PATTERN


def chain(folder: Path, files: int, *, last: str = "{}") -> Path:
    """Files of three stacks, each of which extends the same stack of the next file."""
    for i in range(files):
        base = f"extends: f{i + 1}.yaml#s0, " if i + 1 < files else ""
        stacks = ", ".join(f"s{j}: {{{base}input: {{argument: a{j}}}}}" for j in range(3))
        stacks = stacks if base else f"s0: {last}"
        head = "name: x\n" if base else f"{HEAD}layers: 1\n"  # each stack takes what it extends
        (folder / f"f{i}.yaml").write_text(f"{head}stacks: {{{stacks}}}\n")
    return folder / "f0.yaml"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are parsed, in order."""
    names: list[str] = []
    parse = modelwright.spec.files.parse

    def counted(text: str, name: str, *rest: object) -> object:
        names.append(Path(name).name)
        return parse(text, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(modelwright.spec.files, "parse", counted)
    return names


def test_each_file_is_read_once(tmp_path: Path, parsed: list[str]) -> None:
    spec = load(chain(tmp_path, 16))
    assert sorted(parsed) == sorted(f"f{i}.yaml" for i in range(16))
    assert list(spec.stacks) == ["s0", "s1", "s2"]


def test_a_failing_base_is_read_and_reported_once(tmp_path: Path, parsed: list[str]) -> None:
    with pytest.raises(SpecErrors) as caught:
        load(chain(tmp_path, 16, last="{extends: none.yaml#s0}"))
    (problem,) = caught.value.problems
    assert problem.message.startswith("there is no file `none.yaml` beside f15.yaml")
    assert len(parsed) == 16


def test_chains_have_an_end(tmp_path: Path) -> None:
    with pytest.raises(SpecErrors, match="a chain of `extends` can have at most 16 files"):
        load(chain(tmp_path, 18))


def test_files_are_counted(tmp_path: Path) -> None:
    for i in range(70):
        (tmp_path / f"b{i}.yaml").write_text(f"{HEAD}layers: 1\nstacks: {{s: {{}}}}\n")
    stacks = "".join(f"  s{i}: {{extends: b{i}.yaml#s}}\n" for i in range(64))
    for i in (0, 1):
        (tmp_path / f"b{i}.yaml").write_text(f"{HEAD}extends: b{i + 66}.yaml\nlayers: 1\n")
    (tmp_path / "x.yaml").write_text(f"name: x\nstacks:\n{stacks}")
    with pytest.raises(SpecErrors, match="a spec can extend at most 64 files"):
        load(tmp_path / "x.yaml")


def test_characters_of_all_files_are_counted(tmp_path: Path) -> None:
    comment = "# " + "x" * 60_000 + "\n"
    for i in range(6):
        base = f"extends: b{i + 1}.yaml\n" if i < 5 else ""
        (tmp_path / f"b{i}.yaml").write_text(FAMILY.replace("x", f"x{i}") + comment + base)
    with pytest.raises(SpecErrors, match="at most 262,144 characters in total"):
        load(tmp_path / "b0.yaml")


@pytest.mark.parametrize(
    "text",
    [
        DIFFERENT + "positions: [" + "rotary, " * 3000 + "rotary]\n",
        DIFFERENT + "sublayers: [" + "{type: mha, heads: 2}, " * 800 + "{type: mha, heads: 2}]\n",
        DIFFERENT + "mask: [" + "causal & window(3) | ~window(2), " * 1000 + "causal]\n",
        DIFFERENT + "mask: [" + f"{'causal & ' * 100}causal, " * 60 + "causal]\n",
        DIFFERENT + "norm: {" + ", ".join(f"k{i}: 1" for i in range(3000)) + "}\n",
        HEAD + BLOCKS + PATTERN + STACKS,
        HEAD + "layers: 2\nnorm: {" + ", ".join(f"k{i}: 1" for i in range(3000)) + "}\n" + STACKS,
    ],
    ids=["positions", "sublayers", "masks", "long masks", "unknown", "blocks", "unknown in stacks"],
)
def test_values_are_counted_after_levels_are_merged(text: str) -> None:
    with pytest.raises(SpecErrors) as caught:
        loads(text)
    (problem,) = caught.value.problems
    assert "merging its levels gives more than 60,000 values" in problem.message
    assert problem.mark.line >= 1


def test_layers_of_all_stacks_are_counted() -> None:
    with pytest.raises(SpecErrors, match="at most 100,000 layers in all its stacks"):
        loads(f"{HEAD}layers: 50000\n{STACKS}")


@pytest.mark.parametrize("count", [250, 300])
def test_overrides_of_overrides(count: int) -> None:
    ranges = "".join(f"  {i}..-{i + 1}: {{dropout: 0.{i + 1:04d}}}\n" for i in range(count))
    text = f"{FAMILY}layers: {MOST_LAYERS}\noverrides:\n{ranges}"
    if count > 256:
        with pytest.raises(SpecErrors, match="a stack has at most 256 different blocks"):
            loads(text)
        return
    stack = loads(text).stacks["decoder"]
    rates = [stack.blocks[stack.order[i]].dropout for i in (0, 1, 249, 50_000, -250, -1)]
    assert rates == [0.0001, 0.0002, 0.025, 0.025, 0.025, 0.0001]


def test_overrides_of_the_same_layers_get_short_names() -> None:
    ranges = "".join(f"  0..{9 - i}: {{dropout: 0.{i + 1}}}\n" for i in range(5))
    stack = loads(f"{FAMILY}layers: 10\noverrides:\n{ranges}").stacks["decoder"]
    assert stack.order[0] == "block_layer_0x4"
    assert [stack.blocks[name].dropout for name in stack.order[5:]] == [0.5, 0.4, 0.3, 0.2, 0.1]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("", []),
        ("aaaa", ["a * 1"]),
        ("abab", ["a", "b"]),
        ("aabaab", ["a * 2", "b"]),
        ("aabaaba", ["a * 2", "b"]),
        ("aabaabb", ["a * 2", "b", "a * 2", "b * 2"]),
        ("ab" * 50_000 + "c", None),
    ],
)
def test_the_shortest_pattern(order: str, expected: list[str] | None) -> None:
    found = pattern(tuple(order))
    if expected is None:
        assert len(found) == len(order)
        return
    assert found == [word.removesuffix(" * 1") for word in expected]


LINKS = {
    "a.yaml": "b.yaml",
    "b.yaml": "a.yaml",
    "self.yaml": "self.yaml",
    "lost.yaml": "nothing.yaml",
    "deep": "deep",
}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.yaml", "`a.yaml` is a symbolic link that leads back to itself"),
        ("self.yaml", "`self.yaml` is a symbolic link that leads back to itself"),
        ("lost.yaml", "`lost.yaml` is a symbolic link to a file that does not exist"),
        ("deep/x.yaml", "there is no file `deep/x.yaml` beside spec.yaml"),
        ("folder", "`folder` is a folder; `extends` must name a file"),
    ],
)
def test_links_that_lead_nowhere(tmp_path: Path, name: str, message: str) -> None:
    for link, target in LINKS.items():
        (tmp_path / link).symlink_to(target)
    (tmp_path / "folder").mkdir()
    (tmp_path / "spec.yaml").write_text(f"name: x\nextends: {name}\n")
    (tmp_path / "stack.yaml").write_text(f"name: x\nstacks: {{s: {{extends: '{name}#s'}}}}\n")
    for spec in ("spec.yaml", "stack.yaml"):
        with pytest.raises(SpecErrors) as caught:
            load(tmp_path / spec)
        (problem,) = caught.value.problems
        assert problem.message == message.replace("spec.yaml", spec)
    with pytest.raises(SpecErrors, match=r"cannot be read|not exist"):
        load(tmp_path / name)


def test_a_link_to_its_own_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "here").symlink_to(tmp_path)
    (tmp_path / "base.yaml").write_text(FAMILY + "layers: 1\n")
    (tmp_path / "spec.yaml").write_text("name: y\nextends: here/here/base.yaml\n")
    assert load(tmp_path / "here" / "spec.yaml").stacks["decoder"].layers == 1

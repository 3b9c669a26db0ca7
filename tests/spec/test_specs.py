"""Very different models in the language: all load, and unsupported ones are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.compiler.display import show
from modelwright.spec import ModelSpec, SpecErrors, load, loads

SPECS = sorted((Path(__file__).parent / "specs").glob("*.yaml"))
LATER: dict[str, list[str]] = {}  # what each spec needs that is not built yet


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_is_read_without_a_warning(path: Path) -> None:
    assert load(path, check_support=False).warnings == ()


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_unsupported_specs_are_reported(path: Path) -> None:
    wanted = [f"not supported yet: {what}" for what in LATER.get(path.stem, [])]
    if not wanted:
        assert isinstance(load(path), ModelSpec)
        return
    with pytest.raises(SpecErrors) as caught:
        load(path)
    assert [problem.message for problem in caught.value.problems] == wanted


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_reads_back_from_its_data(path: Path) -> None:
    spec = load(path, check_support=False)
    for mode in ("python", "json"):
        again = ModelSpec.model_validate(spec.model_dump(mode=mode, by_alias=True))
        assert again == spec
        assert again.sha == spec.sha


@pytest.mark.sampled(2)
@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_reads_back_from_what_show_prints(path: Path) -> None:
    spec = load(path, check_support=False)
    again = loads(show(spec), check_support=False)
    assert (again.stacks, again.heads, again.init) == (spec.stacks, spec.heads, spec.init)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_nothing_is_left_open(path: Path) -> None:
    """What a part takes from outside is settled, in every part of every spec."""
    inherited = {"norm_placement", "activation"}

    def walk(data: object, where: str) -> None:
        if isinstance(data, dict):
            for key, value in data.items():
                assert value is not None or key not in inherited, f"{where}.{key}"
                walk(value, f"{where}.{key}")
        elif isinstance(data, list):
            for value in data:
                walk(value, where)

    spec = load(path, check_support=False)
    walk(spec.model_dump(mode="json"), "spec")
    for stack in spec.stacks.values():
        assert set(stack.blocks) == set(stack.order)
        assert len(stack.order) == stack.layers

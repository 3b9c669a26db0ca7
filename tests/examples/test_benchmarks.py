"""The benchmarks compare like with like, and count correctly."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from itertools import product
from pathlib import Path
from types import ModuleType

import pytest

Module = Callable[[str], ModuleType]


@pytest.fixture
def module(root: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    """`module("measure")` is `benchmarks.measure`."""
    monkeypatch.syspath_prepend(str(root))
    return lambda name: import_module(f"benchmarks.{name}")


def test_every_round_has_each_candidate_once_in_another_order(module: Module) -> None:
    measure = module("measure")
    called: list[str] = []
    now = iter(range(1000))
    timed = measure.alternate(
        "task",
        {name: lambda name=name: called.append(name) for name in "abc"},
        rounds=3,
        warm_up=1,
        clock=lambda: next(now),
    )
    assert "".join(called) == "abc" + "bca" + "cab" + "abc"
    assert timed.rounds == {"a": [1] * 3, "b": [1] * 3, "c": [1] * 3}


def test_a_ratio_is_of_times_of_the_same_round(module: Module) -> None:
    """Twice as slow in every round, whatever the machine does."""
    measure = module("measure")
    timed = measure.Timed("task", {"ours": [2.0, 20.0, 200.0], "other": [1.0, 10.0, 100.0]})
    assert timed.ratio("ours", "other") == 2
    assert timed.median("ours") == 20
    assert timed.to_json("ours")["ratio"] == {"other": 2}
    (head, line) = measure.table([timed], "ours").splitlines()
    assert head.split() == ["task", "ours", "other", "ours/other"]
    assert line.split()[-1] == "2.000"
    assert len(head) == len(line)


def test_the_gpt2_by_hand_decodes_what_its_forward_says(module: Module) -> None:
    import torch

    torch.manual_seed(0)
    model = module("by_hand").Gpt2(50, 40, 32, layers=2, heads=4).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    ids = torch.randint(50, (2, 5))
    for _ in range(6):
        with torch.no_grad():
            ids = torch.cat([ids, model(ids)[:, -1].argmax(-1, keepdim=True)], dim=1)
    assert torch.equal(model.generate(ids[:, :5], 6), ids)


def test_packing_moves_weights_and_changes_none(module: Module) -> None:
    import torch

    models = module("models")
    model = module("by_hand").Bert(50, 40, 32, layers=2, heads=4).eval()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    models.pack(model)
    weights = list(model.parameters())
    assert len({weight.untyped_storage().data_ptr() for weight in weights}) == 1
    assert all(weight.is_leaf and weight.data_ptr() % 4 == 0 for weight in weights)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    model(torch.zeros(1, 3, dtype=torch.long)).sum().backward()
    assert all(weight.grad is not None for weight in weights if weight is not model.types.weight)


@pytest.mark.parametrize("name", ["tiny-gpt2", "tiny-llama"])
def test_a_small_case_is_timed_at_each_task(module: Module, name: str) -> None:
    """Same weights, same result, same tokens: it raises where one differs."""
    import torch

    pytest.importorskip("transformers")
    case = module("peers").CASES[name]
    rivals = module("peers").rivals_of(replace(case, others={}), torch.float32)
    found = dict(module("tasks").tasks_of(case, rivals))
    assert [task.removeprefix(case.name) for task in found] == [
        " forward, 1 x 8",
        " forward, 8 x 16",
        " decode, 1 x 64 + 32",
        " decode, 4 x 64 + 32",
    ]
    for candidates in found.values():
        assert list(candidates) == ["emitted", "transformers", "its products"]
    found[f"{case.name} forward, 1 x 8"]["its products"]()


def test_the_floor_multiplies_by_each_matrix_once_for_each_number_of_rows(module: Module) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = module("by_hand").Gpt2(50, 40, 32, layers=2, heads=4)
    run = module("floor").products(model, rows=[7, 1], head_rows=[1])
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        run()
    inner = 2 * 12 * 32 * 32
    assert counted.get_total_flops() == 2 * (8 * inner + 50 * 32)


def test_the_page_lists_every_ratio(module: Module) -> None:
    pages, measure = module("pages"), module("measure")
    times = {"emitted": [1.0, 1.0, 1.0], "transformers": [1.5, 1.5, 1.5], "its products": [0.9] * 3}
    results = [measure.Timed("a task", times)]
    made = pages.part({"threads": 2}, pages.rows(results), "figure.svg")
    assert "Measured with: threads 2." in made
    assert "| a task | 1000.0 ms ± 0% | 1.50 | 90% |" in made
    assert "figure.svg" in made
    assert ">1.50</text>" in pages.figure(results)


def test_a_table_is_written_in_its_own_place(module: Module) -> None:
    pages = module("pages")
    page = "\n".join(f"{pages.begin(key)}\n{pages.END}\nwords" for key in "ab")
    once = pages.written(page, "b", "new")
    assert once == pages.written(pages.written(page, "b", "old"), "b", "new")
    assert once.startswith(page[: page.index(pages.begin("b"))])
    assert once.endswith(f"{pages.begin('b')}\n\nnew\n\n{pages.END}\nwords")
    with pytest.raises(ValueError, match="no place for c"):
        pages.written(page, "c", "new")


def test_the_page_has_a_place_for_each_table(module: Module) -> None:
    pages, tables = module("pages"), module("__main__").TABLES
    text = (pages.DOCS / "benchmarks.md").read_text(encoding="utf-8")
    for part in ("smaller", "training"):
        tables = (*tables, *(f"{part}, {name}" for name in module(part).TABLES))
    scaling = module("scaling_page")
    keys = [module(part).KEY for part in ("long", "windows", "smaller_by_hand")]
    tables = (*tables, *scaling.TABLES, *scaling.MEMORY.values(), *keys, scaling.DECODING)
    places = [text.index(pages.begin(key)) for key in tables]
    assert text.count("<!-- numbers of ") == len(places)
    for image in re.findall(r'src="(benchmarks_[^"]+)"', text):
        assert (pages.DOCS / image).is_file()


def test_tables_by_length_have_ratios_growth_and_memory(module: Module) -> None:
    """Dense attention: 4 times the time for twice the tokens; the mask: twice, half the memory."""
    page = module("scaling_page")
    records = [
        {
            "mask": "band(256)",
            "way": "forward",
            "length": 1024 * n,
            "ratio": n / 2,
            "seconds": {"dense": 1e-3 * n**2, "band(256)": 2e-3 * n},
        }
        for n in (4, 8, 16)
    ]
    head, row = page.scaling_rows(records)
    assert head == ("mask", "4k", "8k", "16k", "exponent")
    assert row == ("`band(256)`", "2.00", "4.00", "8.00", "1.00")
    peaks = [
        {"mask": mask, "way": "forward", "length": 1024 * n, "MB": megabytes * n}
        for n in (4, 8, 16)
        for mask, megabytes in (("dense", 8.0), ("band(256)", 4.0))
    ]
    assert page.memory_rows(peaks) == [
        ("mask", "4k", "8k", "16k"),
        ("dense, forward", "32", "64", "128"),
        ("`band(256)`, forward", "16", "32", "64"),
    ]
    times = page.milliseconds(records)
    assert list(times) == ["dense", "band(256)"]
    assert page.exponent(times["dense"]) == "2.00"
    (_, grown) = page.scaling_rows(records, {"band(256)": "1.07"})
    assert grown == (*row[:4], "1.07"), "an exponent of its own run"
    drawn = module("chart").chart("a title", times)
    assert drawn.count("<polyline") == 2
    assert ">16k</text>" in drawn
    assert ">band(256)</text>" in drawn


def test_a_table_of_decoding_ends_with_exponents(module: Module) -> None:
    """Now: four times the time for four times the tokens; before: eight times."""
    page = module("scaling_page")
    times = {2048: (0.001, 0.002), 8192: (0.004, 0.016)}
    records = [
        {
            "task": f"linear, {length} tokens, forward",
            "seconds": {"now": now, "before": before},
            "ratio": before / now,
        }
        for length, (now, before) in times.items()
    ]
    records.append({**records[0], "task": "call, Gemma 3 1B, window 512, float32"})
    rows = page.decoding_rows(records)
    assert rows[2] == ("linear, 8192 tokens, forward", "4.00 ms", "16.00 ms", "4.00")
    assert rows[4:] == [("linear, forward: exponent from 2,048 tokens on", "1.00", "1.50", "")]


def test_benchmarks_of_attention_take_the_causal_form(module: Module) -> None:
    """A window over all tokens is SDPA's causal mask; without it, later keys would be seen."""
    import torch

    scaling = module("scaling")
    for mask in ("window(4096)", "longformer"):
        q, k, v = scaling.inputs(40, torch.float64, gradients=False)
        found = scaling.attention(mask)(q, k, v)
        every = torch.ones(40, 40, dtype=torch.bool)
        seen = every.tril() if mask == "window(4096)" else every
        expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        assert torch.allclose(found, expected, rtol=0, atol=1e-12)


def test_what_the_tables_name_is_there(module: Module) -> None:
    cases = module("peers").CASES
    for plan in module("plans").PLANS.values():
        assert set(plan.cases) <= set(cases)
        assert plan.has_task("a model forward, 1 x 256")
    assert not module("plans").PLANS["compiled"].has_task("a model decode, 1 x 64 + 32")


def test_lines_of_loading_divide_times_of_the_same_round(module: Module) -> None:
    load = module("load")
    found = {
        "modelwright": {"load, s": [1.0, 2.0, 4.0]},
        "transformers": {"load, s": [2.0, 4.0, 8.0]},
    }
    assert load.lines("a model", found) == [("a model, load, s", "2.00", "4.00", "2.00")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_the_rivals_give_the_same_result(module: Module, name: str) -> None:
    """They are compared when they are made: it raises where one differs."""
    rivals = getattr(module("models"), name)(packed=True)
    assert list(rivals.models) == ["emitted", "transformers", "by hand", "emitted, joined"]
    counts = {sum(w.numel() for w in model.parameters()) for model in rivals.models.values()}
    assert counts == {{"gpt2": 124_439_808, "bert": 109_482_240}[name]}


def test_the_gpu_benchmark_needs_a_gpu(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from click.testing import CliRunner

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = CliRunner().invoke(module("gpu").main, [])
    assert result.exit_code == 1
    assert "this benchmark needs a GPU with CUDA" in result.stderr


def test_the_models_of_the_gpu_benchmark_have_their_size(module: Module) -> None:
    import modelwright as mw

    gpu = module("gpu")
    counts = [
        mw.report(mw.lower(mw.load(gpu.EXAMPLES / f"{example}.yaml", sets=sets))).weights_total
        for example, sets, _ in gpu.MODELS.values()
    ]
    assert counts == [124_439_808, 1_235_814_400]


@pytest.mark.slow
def test_the_gpu_benchmark_runs_with_tiny_models(module: Module, tmp_path: Path) -> None:
    gpu, out = module("gpu"), tmp_path / "gpu.jsonl"
    gpu.main(["--tiny", "--way", "eager", "--out", str(out)], standalone_mode=False)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [one["model"] for one in found] == list(gpu.TINY)
    assert all(one["tokens_per_second"] > 0 and one["loss"] < 6 for one in found)
    assert gpu.in_a_process(tmp_path, 60)["failed"].startswith("ModuleNotFoundError")
    assert gpu.in_a_process(tmp_path, 0)["failed"] == "the time was over"


@pytest.mark.gpu
@pytest.mark.slow
def test_the_gpu_benchmark(module: Module, tmp_path: Path) -> None:
    """All four pieces within five minutes; a share of the peak is below 1."""
    gpu, out = module("gpu"), tmp_path / "gpu.jsonl"
    gpu.main(["--out", str(out)], standalone_mode=False)
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(one["model"], one["way"]) for one in found] == list(product(gpu.MODELS, gpu.WAYS))
    assert all(one["mfu"] is None or 0 < one["mfu"] < 1 for one in found)

"""Every emitted file: plain torch, well formed, without flags, reproducible."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from emitted_texts import ALL, built, digests, tree, write_all
from small_examples import NAMES, graph, small_graph

import modelwright as mw
from modelwright.backends.pytorch import emit_file, instantiate, is_ours_unedited

TYPED = (
    "gpt2",
    "llama3_8b",
    "bert_pretraining",
    "t5_small",
    "gemma3_1b",
    "transformer_base",
    "bigbird_base",
    "albert_base",
)
EXAMPLES = ALL[: len(NAMES)]
MOST_LINES = {
    "gpt2": 275,
    "llama3_8b": 295,
    "bert_base": 190,
    "t5_small": 379,
    "transformer_base": 375,
    "gemma3_1b": 330,
    "mixtral_8x7b": 345,
    "deepseek_v3": 450,
    "llama4_scout": 470,
}
"""Bounds on lines, without the helpers of sparse attention (`SPARSE`)."""
HERE = Path(__file__).parent


# -- form


@pytest.mark.sampled(32)
@pytest.mark.parametrize("name", ALL)
def test_imports_torch_and_the_standard_library_only(name: str) -> None:
    for node in ast.walk(tree(name)):
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [node.module or ""]
        for module in modules:
            top = module.split(".")[0]
            assert top == "torch" or top in sys.stdlib_module_names, module


@pytest.mark.sampled(32)
@pytest.mark.parametrize("name", ALL)
def test_lines_are_short_and_clean(name: str) -> None:
    text = built(name).text
    long = [line for line in text.splitlines() if len(line) > 100 or line != line.rstrip()]
    assert long == []
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\t" not in text
    assert "\n\n\n\n" not in text


@pytest.mark.sampled(32)
@pytest.mark.parametrize("name", ALL)
def test_nothing_is_written_that_is_not_used(name: str) -> None:
    defined = [
        node.name for node in tree(name).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))
    ]
    read = {node.id for node in ast.walk(tree(name)) if isinstance(node, ast.Name)}
    assert [one for one in defined if one not in read] == [built(name).class_name]


def annotations_of(name: str) -> set[str]:
    return {
        field.target.id
        for node in tree(name).body
        if isinstance(node, ast.ClassDef) and node.name == "Config"
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


@pytest.mark.sampled(32)
@pytest.mark.parametrize("name", ALL)
def test_config_holds_what_is_read_and_no_more(name: str) -> None:
    read = {
        node.attr
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("config", "self.config", "self")
    }
    assert annotations_of(name) <= read
    assert annotations_of(name), "a model has sizes"


@pytest.mark.parametrize(
    "names", [ALL[::5], pytest.param(ALL, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_ruff_reports_nothing(
    names: tuple[str, ...], tmp_path: Path, linted: Callable[[Path], None]
) -> None:
    write_all(tmp_path, names)
    linted(tmp_path)


@pytest.mark.slow
def test_mypy_reports_nothing(root: Path, tmp_path: Path) -> None:
    kept = root / ".mypy_cache" / "emitted"  # reading torch anew takes ten seconds
    for name in TYPED:
        text = built(f"example {name}").text
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    strict = ["--disallow-untyped-defs", "--check-untyped-defs", "--warn-unreachable"]
    command = [sys.executable, "-m", "mypy", "--config-file", os.devnull, *strict]
    command += ["--cache-dir", str(kept), "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]


SPARSE = re.compile(
    r"\w+_tiles?|Tile|TILE|DENSE|STEP|KeysOfTile|copied_keys|added_mask|\w*(tiled|gathered)_attention"
    r"|\w+_(runs|ranges)|row_origins|at_most_half|keys_of|in_one_block"
)
"""What a file has only because attention is computed in tiles; so are kernels given to them."""


def sparse_lines(root: ast.Module) -> int:
    """The lines of definitions that only attention in tiles needs."""
    kernels = ("grouped_attention",) if "class Tile(" in ast.unparse(root) else ()
    total = 0
    for node in root.body:
        name = getattr(node, "name", "")
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
        if SPARSE.fullmatch(name) or name in kernels:
            first = min(d.lineno for d in [node, *getattr(node, "decorator_list", ())])
            blank = 0 if isinstance(node, ast.Assign) else 2
            total += (node.end_lineno or 0) - first + 1 + blank
    return total


@pytest.mark.parametrize("name", MOST_LINES)
def test_a_reader_needs_no_patience(name: str) -> None:
    lines = len(built(f"example {name}").text.splitlines())
    assert lines - sparse_lines(tree(f"example {name}")) <= MOST_LINES[name]


@pytest.mark.sampled(32)
@pytest.mark.parametrize("name", ALL)
def test_every_class_says_what_it_is(name: str) -> None:
    classes = [node for node in tree(name).body if isinstance(node, ast.ClassDef)]
    assert [one.name for one in classes if not (ast.get_docstring(one) or "").endswith(".")] == []


@pytest.mark.sampled(32)
@pytest.mark.parametrize("name", ALL)
def test_options_of_the_kernel_are_named(name: str) -> None:
    calls = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Call)]
    kernels = [one for one in calls if ast.unparse(one.func) == "F.scaled_dot_product_attention"]
    assert [ast.unparse(one) for one in kernels if len(one.args) != 3] == []


# -- decided at build time: no statement asks for an option

SAMPLING = {"temperature == 0", "top_p is not None", "done.all()", "ends.numel()", "top_p < 1"}
SAMPLING |= {
    "not (0 <= (top_p or 0) <= 1 and (temperature == 0 or 1e-06 <= temperature <= 1000))",
    "top_k",
}
SAMPLING |= {"isinstance(eos_token_id, Tensor)", "isinstance(stop, (tuple, list))", "stops"}
SAMPLING |= {"stop is None"}
LIMITS = {"end > self.capacity", "layer not in self.kv", "self.layer in cache.memory"}
LIMITS |= {"layer in self.kv"}
LIMITS |= {"length == 0", "attention_mask.size(-1) == 0", "len(k) != len(x)"}  # no tokens
LIMITS |= {"memory is None"}  # attention to tokens, not to a memory
LIMITS |= {"last <= keys.size(-2)"}  # is there room left?
LIMITS |= {"(len(keys), keys.dtype) != (len(k), k.dtype)", "state.size(0) != batch"}
LIMITS |= {"length != lengths[0]", "x.size(-1) < least", "x.size(-1) == 0"}  # `check_frames`
LIMITS |= {"places.sum() != rows[..., 0].numel()", "places.any()"}  # vectors among tokens
LIMITS |= {"x.is_floating_point()", "x.shape not in shapes"}  # `check_shapes`
CASES = {
    "any((type(n) is not int or n < 0 for n in (max_new_tokens, top_k or 0)))",  # counts
    "len(keys) == 1",  # ranges of keys of one tile
    "len(keys) > 1",
    "mask.device.type == 'cpu'",  # where looking at a mask costs nothing
    "mask.all()",
    "not any(chosen[first:last])",
    "alike not in shared",  # tiles with equal distances
    "backward",  # direction of a recurrence
    "eos_token_id is None",
    "start == 0",  # no cached tokens
    "end - start == 1",  # one new token
    "not training",
    "self.training",
    "torch.is_autocast_enabled(x.device.type)",
    "tokens == 1",  # several new tokens fill chunks
    "x.dtype == torch.float16",  # whose numbers end at 65504
    "not torch.compiler.is_compiling()",  # else shapes may not depend on what a router chose
    "len(part)",  # an expert that a token chose
    "not rows",  # no token at all
    "q.size(2) > 1",  # several new tokens fill chunks
    "q.size(2) == 1",  # for one query, the heads of a group are the queries
    "q.size(2) != 1",
    "bias.size(-2) != 1",
    "tokens > 1",
    "torch.compiler.is_compiling()",  # one graph serves sequences of any length
    "not compiling",
    "compiling",
    "end - start < DENSE",  # too few queries for tiles
    "not tiles[0].keys",  # one tile of all
    "tiles[0].mask is None",
    "tile.mask is not None",
    "any((a < last and first < b for a, b in rows))",  # rows that read all keys
    "len(tile.keys) == 1",
    "tiles[0].keys",  # tiles of some keys
    "step is None",  # of neighbouring keys
    "part.start < part.stop",  # a range with every n-th key may have none
    "end - start >= DENSE",
    "len(found) == 1",  # one range of keys
    "ranges",  # several of them
    "tile.keys != (slice(0, end),)",  # not all keys
    "2 * read <= (end - start) * end",  # at most half of all pairs
    "first <= found[-1][1]",  # ranges that touch
    "found",
    "first < last",
    "start < edge < end",
    "a < last",
    "first < b",
    "any(hidden[begin:stop])",  # padding
    "attention_mask.device.type == 'cpu'",  # else reading it waits for the device
    "hidden.any()",  # padding
    "'loss' in vars(m)",  # the routers that keep one
    "q1.size(2) == 1",  # one query
    "q2.size(2) == 1",
    "power == heads",  # ALiBi: a number of heads that is a power of two
}
DATA = (
    "cache",
    "state",
    "gradient",
    "total",
    "every",
    "view",
    "mask",
    "window",  # of a mask that some layers have
    "x",  # joined inputs, of which some may be absent
    "input_ids",
    "pixel_values",
    "input_values",
    "kept",  # tokens that a layer keeps; None for all
    "block_size",
    "attention_mask",
    "position_ids",
    "token_type_ids",
    "row_ids",
    "column_ids",
    "channel_ids",
    "degree",  # of nodes, added to their embeddings
    "states",  # vectors that stand among tokens
    "document_ids",
    "prefix_length",
    "global_mask",
)


def questions(node: ast.AST) -> Iterator[ast.expr]:
    """The conditions of a tree, taken apart at `and` and `or`."""
    for inner in ast.walk(node):
        if isinstance(inner, (ast.If, ast.IfExp, ast.While, ast.Assert)):
            yield from terms(inner.test)
        elif isinstance(inner, ast.comprehension):
            for test in inner.ifs:
                yield from terms(test)
        else:
            assert not isinstance(inner, ast.Match)


def terms(test: ast.expr) -> Iterator[ast.expr]:
    if isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from terms(value)
    else:
        yield test


GENERATION = re.compile(
    r"\w+\.size\(1\) == 0|(not )?\w+(\[:, -1\])?\.all\(\)|module\.training"
    r"|not \(\w+ is None or torch\.compiler\.is_compiling\(\)\)"
    r"|any\(\(type\(i\) is not int or not 0 <= i < [\w.]+ for i in ids\)\)"  # special ids
)
LONGROPE = re.compile(
    r"0 < start <= [\w.]+original_max_positions < end|tokens\.size\(1\)( - padding)? - 1 in short"
)
COUNT = r"(\d+|(self\.)?config\.\w*layers( - \d+)?)"
LAYER = re.compile(
    rf"(i|layer)( % \d+)? (<|==|>=) {COUNT}|{COUNT} <= (i|layer) <= {COUNT}"
    r"|(i|layer)( % \d+)? in \([\d, ]+\)"
)
"""Which class, masks and angles layer `i` is given, and what its cache keeps."""
LAYERS = re.compile(
    r"self\.\w*layers (<|!=) \d+|not \d+ <= self\.\w*layers <= \d+"
    r"|self\.\w*layers % \d+ (!= \d+|not in \([\d, ]+\))"
)
"""Numbers of layers for which the file would be wrong."""
SIZES = re.compile(
    r"any\(\(isinstance\(f\.default, int\) and .*|isinstance\(f\.default, int\)"
    r"|vars\(self\)\[f\.name\] < (1|least)|f\.name in may_be_zero"
)
"""Sizes that are too small."""


NUMBERS = {"abs", "torch", "size", "name", "type", "vars", "Config", "int", "least", "may_be_zero"}
"""What `__post_init__` names where it checks numbers."""


def allowed(test: ast.expr, function: str) -> bool:
    """May emitted code ask this? Only about its data, its limits, and which module stands here."""
    text = ast.unparse(test)
    if LAYER.fullmatch(text) or (function == "generate" and GENERATION.fullmatch(text)):
        return True
    if text in SAMPLING | LIMITS | CASES or LONGROPE.fullmatch(text):
        return True
    if function in ("check_shapes", "check_vectors", "join_inputs", "interleave_inputs"):
        return "config" not in text and "self" not in text
    if function == "__post_init__":
        names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
        relation = not isinstance(test, ast.Attribute) and names <= {"self", "len", *NUMBERS}
        return relation or bool(LAYERS.fullmatch(text) or SIZES.fullmatch(text))
    if function == "init_weights":
        named = ("name.startswith(", "name.endswith(", "name == ", "name in (")
        return text.startswith(named) or text == "isinstance(module, JoinedLinear)"
    left, _, right = text.partition(" is ")
    if right in ("None", "not None"):
        return any(left == data or left.endswith(f"_{data}") for data in DATA)
    if text.endswith(
        (".shape[-2:] != (size, size)", ".shape[-2:] != (height, width)", ".shape[-3:] != size")
    ):
        return True
    if text == "video.shape[-3:] != size":
        return True
    if function.endswith("_tiles") and (text == "keys" or text.startswith("in_one_block(first")):
        return True  # the queries of a tile may share a row of the mask
    if text.startswith("end <= ") and text.endswith(
        ("window", "block_size")
    ):  # which covers all tokens
        return True
    left, _, right = text.partition(" > ")
    return left in ("end", "length", "cache.capacity") and right.endswith("max_positions")


def named(function: ast.FunctionDef) -> Callable[[ast.expr], ast.expr]:
    """For a test that has a name in `__init__`, such as `dense`, its expression."""
    values = {
        node.targets[0].id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    if function.name != "__init__":
        return lambda test: test
    return lambda test: values.get(test.id, test) if isinstance(test, ast.Name) else test


def asked(root: ast.Module) -> list[str]:
    """The conditions of a file that it may not have."""
    functions = [node for node in ast.walk(root) if isinstance(node, ast.FunctionDef)]
    outside = [node for node in root.body if not isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    found = [
        f"{function.name}: {ast.unparse(test)}"
        for function in functions
        for test in map(named(function), questions(function))
        if not allowed(test, function.name)
    ]
    return found + [ast.unparse(test) for node in outside for test in questions(node)]


@pytest.mark.sampled(32)
@pytest.mark.parametrize("name", ALL)
def test_no_statement_asks_for_an_option(name: str) -> None:
    assert asked(tree(name)) == []


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    return x if config.bias else 0\n",
        "def f(x):\n    if self.scale is not None:\n        x = x * self.scale\n",
        "def f(x):\n    if self.norm_first and x is not None: pass\n",
        "def f(x):\n    return [y for y in x if tied]\n",
        "class A:\n    def __init__(self):\n        while shared: pass\n",
        "if OPTION: x = 1\n",
    ],
)
def test_a_question_about_an_option_is_found(text: str) -> None:
    assert asked(ast.parse(text)) != []


# -- the same each time


def test_same_bytes_twice() -> None:
    assert digests(EXAMPLES) == digests(EXAMPLES)


def test_same_bytes_in_another_process() -> None:
    code = (
        f"import json, sys; sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]\n"
        "from emitted_texts import ALL, digests; print('DIGESTS', json.dumps(digests(ALL[::12])))"
    )
    others = {**os.environ, "PYTHONHASHSEED": "4321"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=others, capture_output=True, text=True, check=False
    )
    theirs = json.loads(done.stdout.rpartition("DIGESTS ")[2] or "{}")
    ours = {name: hashlib.sha256(built(name).text.encode()).hexdigest() for name in ALL[::12]}
    assert theirs == ours, done.stderr[-2000:]


@pytest.mark.sampled(32)
@pytest.mark.parametrize("name", ALL)
def test_an_edit_is_recognised(name: str) -> None:
    text = built(name).text
    assert is_ours_unedited(text)
    assert not is_ours_unedited(text.replace("Tensor", "tensor", 1))
    assert not is_ours_unedited(text + "x = 1\n")
    assert not is_ours_unedited(text.rpartition("\n\n# sha256")[0])
    assert not is_ours_unedited("")


# -- the model of an example


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", NAMES)
def test_weights_are_those_of_the_graph(name: str) -> None:
    model = instantiate(built(f"example {name}"), graph(name).name, device="meta")
    logical = {weight.name: weight.shape for weight in graph(name).weights()}
    assert {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()} == logical
    assert not list(model.buffers()), "nothing but weights is kept"
    total = sum(weight.numel() for weight in model.parameters())
    assert total == mw.report(graph(name)).to_json()["weights"]["total"]
    assert total == sum(weight.weight.count for weight in graph(name).weights())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", NAMES)
def test_fresh_weights_are_all_set(name: str) -> None:
    small = small_graph(name)
    model = instantiate(emit_file(small), small.name, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(torch.nan)
    model.init_weights()
    assert [key for key, weight in model.named_parameters() if weight.isnan().any()] == []
    with torch.no_grad():
        spread = max(weight.std() for weight in model.parameters() if weight.dim() == 2)
    assert 0.001 < spread < 1


# -- under dynamic shapes


@pytest.mark.sampled(32)
@pytest.mark.parametrize("name", ALL)
def test_the_causal_case_asks_for_sizes_first(name: str) -> None:
    """`q.size(2) > 1 and mask is None`: turned round, torch.compile hands SDPA no bool."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.BoolOp) and ast.unparse(node).endswith(".size(2) > 1"):
            raise AssertionError(ast.unparse(node))
        if isinstance(node, ast.keyword) and node.arg == "is_causal":
            text = ast.unparse(node.value)
            assert text.endswith("is None") or text in ("causal", "is_causal", "True", "False")

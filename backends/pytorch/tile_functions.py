"""Functions that make the tiles of a mask: runs of queries and the keys that they attend to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...compiler import tile_sizes
from ...compiler.graph import ModuleGraph, Op
from ...compiler.reach import reach
from ...compiler.tile_counts import may_be_plain
from ...compiler.tile_ranges import block_size, classes
from ...compiler.tiling import TileKind
from .code.nodes import (
    Binary,
    Bracketed,
    Do,
    Expr,
    For,
    Function,
    If,
    Name,
    Parameter,
    Return,
    Sequence,
    Set,
    Statement,
)
from .code.read import call, constant, expression, names, statements
from .code.scope import Names
from .code.walk import written_for
from .flex import flex_function
from .mask_functions import (
    DATA,
    INT,
    OPTIONAL,
    TENSOR,
    argument_name,
    joined,
    mask_function,
    number,
)
from .ops.masks import OF_KEYS, atoms_of, mask_names, mask_sizes, tiles_name, window_like
from .tile_ranges import data_of, edges, may_see, one_row


def mask_functions(
    graph: ModuleGraph, masks: dict[str, list[Op]], *, static: bool
) -> list[Function]:
    """The functions of the masks by name, each with that of its tiles where an op asks for them.

    The tiles of a causal mask are those of a window or block as long as the sequence, where there
    is one.
    """
    found, borrowed = [], []
    for name, ops in masks.items():
        if ops[-1].attrs.get("flex"):
            found.append(flex_function(name, ops))
            continue
        tiled = [op for op in ops if op.attrs.get("tiles")]
        window = window_like(graph, tiled[-1]) if tiled else None
        if window is not None and len(tiled) == len(ops):
            borrowed.append(causal_tiles(name, ops, mask_names(graph)[window.number]))
            continue
        ranged = [op for op in tiled if op.attrs["tiles"] in OF_KEYS]
        strided = any(op.attrs["tiles"] is TileKind.CLASSES for op in ranged)
        form = {"static": static, "indexed": bool(ranged), "strided": strided}
        found.append(mask_function(name, ops, **form))
        if tiled:
            always = bool(tiled[-1].attrs.get("forced")) and not all_forced(graph)
            if ranged:
                plain = all(may_be_plain(graph, op) for op in tiled)
                made = strided_function if strided else range_function
                found.append(made(name, tiled, always=always, plain=plain))
            else:
                tiles = ONE_RANGE_TILES[tiled[-1].attrs["tiles"]]
                found.append(tile_function(name, tiled, tiles, always=always))
    return [*found, *borrowed]


def all_forced(graph: ModuleGraph) -> bool:
    """Whether no sequence is too short for tiles, for any mask."""
    tiled = [op for op in graph.ops() if op.kind == "mask" and op.attrs.get("tiles")]
    return all(op.attrs.get("forced") for op in tiled)


def tile_constants(graph: ModuleGraph, read: set[str]) -> list[Set]:
    """The constants that functions of tiles read."""
    forced = all_forced(graph)
    size = tile_sizes.of_graph(graph)
    made = {
        "DENSE": Set(
            Name("DENSE"),
            constant(1 if forced else tile_sizes.SHORT),
            "one tile for fewer queries than this",
        ),
        "TILE": Set(Name("TILE"), constant(size), "queries of one tile"),
        "STEP": Set(
            Name("STEP"),
            constant(tile_sizes.STEP),
            "the number of keys before a tile is a multiple of this, which is faster",
        ),
    }
    return [statement for name, statement in made.items() if name in read]


def tile_function(
    name: str, ops: list[Op], made: Callable[[str, Op], list[Statement]], *, always: bool
) -> Function:
    """The function that makes the tiles of a mask, which calls that of the mask, `name`.

    made: the statements that make tiles of a long sequence
    always: also of sequences that are shorter than DENSE
    """
    op = ops[-1]
    formula, padded = op.attrs["formula"], bool(op.arg("attention_mask"))
    sizes = [Name(size.code()) for size in mask_sizes(formula)]
    padding = [Name("attention_mask")] if padded else []
    body: list[Statement] = []
    compiling = expression("torch.compiler.is_compiling()")
    if op.attrs["implicit"] == "causal":
        if sizes:
            note = "one graph for sequences of any length"
            body.append(Set(Name("compiling"), compiling, note))
            compiling = Name("compiling")
        body += _left_to_sdpa(formula, padded)
    given = [Name("start"), Name("end"), *sizes, *padding, Name("like")]
    count = expression("end - start")
    whole = call("one_tile", count, call(name, *given), Name("like"))
    short = expression("compiling or end - start < DENSE", compiling=compiling)
    dense = compiling if always else short
    body += [If(dense, (Return(whole),)), *made(name, op)]
    return _of_tiles(name, ops, body)


def sliding(name: str, op: Op) -> list[Statement]:
    """Tiles that read the keys near their queries."""
    far = reach(op.attrs["formula"])
    sizes = [Name(size.code()) for size in mask_sizes(op.attrs["formula"])]
    unpadded = [constant(None)] * bool(op.arg("attention_mask"))
    stop = _plus(expression("left + TILE"), far.right)
    near = call(name, Name("left"), stop, *sizes, *unpadded, Name("like"))
    if far.right != 0:
        near = expression("near[:TILE]", near=near)
    tiles = "sliding_tiles(start, end, left, near, padding, like)"
    return [
        _left_of_tiles(bound(far.left, Name("end")), bounded=far.left is not None),
        Set(Name("near"), near, "(Q, Sq)"),
        Return(expression(tiles, padding=_padding(op))),
    ]


def _left_of_tiles(width: Expr, *, bounded: bool) -> Set:
    """How many keys a tile reads before its first query, see `tile_sizes.keys_before`."""
    if bounded:
        width = expression("-(-width // STEP) * STEP", width=width)
    return Set(Name("left"), width)


def in_blocks(name: str, op: Op) -> list[Statement]:
    """Tiles that read the keys of their block; `near` is True where a query may attend to a key."""
    formula = op.attrs["formula"]
    size = number(block_size(formula))
    near = "torch.ones(TILE, size + TILE, device=like.device).tril(size).bool()"
    if reach(formula).right != 0:
        near = "torch.ones(TILE, 2 * size, device=like.device).bool()"
    tiles = "tiles_of_blocks(start, end, size, near, padding, like)"
    return [
        Set(Name("near"), expression(near, size=size), "(Q, Sq)"),
        Return(expression(tiles, size=size, padding=_padding(op))),
    ]


ONE_RANGE_TILES = {TileKind.BAND: sliding, TileKind.BLOCKS: in_blocks}


def _padding(op: Op) -> Any:
    return Name("attention_mask") if op.arg("attention_mask") else constant(None)


def range_function(name: str, ops: list[Op], *, always: bool, plain: bool) -> Function:
    """The function that makes the tiles of a mask that admits several ranges of keys.

    always: also of sequences that are shorter than DENSE
    plain: tiles may have no mask
    """
    op = ops[-1]
    formula = op.attrs["formula"]
    sizes = [Name(size.code()) for size in mask_sizes(formula)]
    given = [Name(data) for data in DATA if op.arg(data)]
    first, last, end = map(Name, ("first", "last", "end"))
    found: Any = Sequence(tuple(edges(formula)), "[]")
    if any(atom.args == ("given",) for atom in atoms_of(formula)):
        marks = expression("[edge for pair in marked for edge in pair]")
        found = marks if not found.items else expression("edges + marks", edges=found, marks=marks)
    over = expression("query_runs(start, end, TILE, edges)", edges=found)
    run = (
        Set(Name("ranges"), may_see(formula)),
        Do(expression("sparse.append((first, last, merge_ranges(ranges, end)))")),
    )
    data = data_of(formula, bool(op.arg("attention_mask")))
    alike = one_row(formula)
    before = origins_of_blocks(alike)
    sparse = (
        *(statement for statement in data if statement not in before),
        Set(Name("sparse"), expression("[]")),
        For(names("first", "last"), over, run),
        Set(Name("runs"), expression("at_most_half(sparse, start, end)")),
    )
    long = expression("not torch.compiler.is_compiling() and end - start >= DENSE")
    if always:
        long = expression("not torch.compiler.is_compiling()")
    kind = expression("list[tuple[int, int, tuple[slice, ...]]]")
    whole = Set(Name("runs"), expression("[(start, end, ())]"), annotation=kind)
    keys = expression("keys_of(keys, end, like.device)")
    stop = last if alike is None else Name("stop")
    mask = call(name, first, stop, Name("k"), end, *sizes, *given, Name("like"))
    made = "mask_of_tile" if plain else "added_mask"
    tile = expression(f"Tile(last - first, keys, {made}(mask, like))", mask=Name("mask"))
    loop = (
        Set(Name("k"), keys),
        *(() if alike is None else queries_of_mask(alike)),
        Set(Name("mask"), mask),
        Do(expression("tiles.append(tile)", tile=tile)),
    )
    body = (
        whole,
        *before,
        If(long, sparse),
        Set(Name("tiles"), expression("[]")),
        For(names("first", "last", "keys"), Name("runs"), loop),
        Return(Name("tiles")),
    )
    return _of_tiles(name, ops, list(body))


def origins_of_blocks(alike: list[Expr] | None) -> list[Statement]:
    """Where blocks begin without padding, if tiles ask for the block of their queries."""
    asked = any("origins" in Names([Do(test)]).outer for test in alike or ())
    return list(statements("origins = [0]")) if asked else []


def queries_of_mask(alike: list[Expr]) -> tuple[Statement, ...]:
    """The first query of a tile alone, if the others attend to the same keys."""
    tests = joined("and", [Name("keys"), *alike])
    one = Set(Name("stop"), expression("first + 1"), "one row serves all queries of the tile")
    return Set(Name("stop"), Name("last")), If(tests, (one,))


def strided_function(name: str, ops: list[Op], *, always: bool, plain: bool) -> Function:
    """The function that makes tiles of every n-th query and key; arguments as `range_function`."""
    op = ops[-1]
    formula = op.attrs["formula"]
    found = classes(formula)
    assert found is not None
    sizes = [Name(size.code()) for size in mask_sizes(formula)]
    given = [Name(data) for data in DATA if op.arg(data)]
    stride, end = number(found[0]), Name("end")
    every = expression("strided_runs(start, end, TILE, stride)", stride=stride)
    keys = expression("strided_keys(queries, ranges, end)")
    run = (
        *statements("first, last = queries[0], queries[-1] + 1"),
        Set(Name("ranges"), may_see(found[1])),
        Do(expression("runs.append((first, last, stride, keys))", stride=stride, keys=keys)),
    )
    sparse = (
        *data_of(found[1], bool(op.arg("attention_mask"))),
        Set(Name("runs"), expression("[]")),
        For(names("queries"), every, run),
    )
    long = expression("not torch.compiler.is_compiling() and end - start >= DENSE")
    if always:
        long = expression("not torch.compiler.is_compiling()")
    kind = expression("list[tuple[int, int, int, tuple[slice, ...]]]")
    whole = Set(Name("runs"), expression("[(start, end, 1, ())]"), annotation=kind)
    positions = expression("torch.arange(first, last, step, device=like.device)")
    mask = call(name, Name("q"), Name("k"), end, *sizes, *given, Name("like"))
    made = "mask_of_tile" if plain else "added_mask"
    tile = expression(f"Tile(q.size(0), keys, {made}(mask, like))")
    loop = (
        Set(Name("q"), positions, "every n-th position"),
        Set(Name("k"), expression("keys_of(keys, end, like.device)")),
        Set(Name("mask"), mask),
        Do(expression("tiles.append(tile)", tile=tile)),
    )
    body = (
        whole,
        If(long, sparse),
        Set(Name("tiles"), expression("[]")),
        For(names("first", "last", "step", "keys"), Name("runs"), loop),
        Return(Name("tiles")),
    )
    return _of_tiles(name, ops, list(body))


def causal_tiles(name: str, ops: list[Op], window: str) -> Function:
    """The function of a causal mask beside one within a window or block, which makes its tiles."""
    op = ops[-1]
    padded = bool(op.arg("attention_mask"))
    body: list[Statement] = []
    if op.attrs["implicit"] == "causal":
        body += _left_to_sdpa(op.attrs["formula"], padded)
    padding = [Name("attention_mask")] if padded else []
    given = [Name("start"), Name("end"), Name("end"), *padding, Name("like")]
    body.append(Return(call(tiles_name(window), *given)))
    return _of_tiles(name, ops, body)


def _of_tiles(name: str, ops: list[Op], body: list[Statement]) -> Function:
    op = ops[-1]
    formula = op.attrs["formula"]
    parameters = (
        *(Parameter(each, INT) for each in ("start", "end")),
        *(Parameter(size.code(), INT) for size in mask_sizes(formula)),
        *(Parameter(data, OPTIONAL) for data in DATA if op.arg(data)),
        Parameter("like", TENSOR),
    )
    title = f"Tiles of queries `start:end`: {formula.text(argument_name)}."
    if op.attrs["implicit"] == "causal":
        title += " No mask if `is_causal` is enough."
    result = expression("list[Tile]")
    made = Function(tiles_name(name), parameters, result, tuple(body), title)
    found: Function = written_for(made, *[op.number for op in ops])
    return found


def bound(found: Any, unbounded: Expr) -> Any:
    """The number of keys on one side that a query may see, over the sizes of the formula."""
    if found is None:
        return unbounded
    if isinstance(found, tuple):
        sign, *sides = found
        return call(sign, *[bound(side, unbounded) for side in sides])
    return number(found)


def _plus(left: Any, right: Any) -> Any:
    return left if right == 0 else Binary(left, "+", bound(right, Name("end")))


def _left_to_sdpa(formula: Any, padded: bool) -> tuple[Statement, ...]:
    """Where no padding is hidden and a window or block covers all tokens, SDPA masks by itself."""
    parts = getattr(formula, "parts", (formula,))
    windows = [part for part in parts if part.name in ("window", "blocks")]
    tests = [expression("not compiling")] if windows else []
    tests += [expression("attention_mask is None")] if padded else []
    tests += [expression("end <= size", size=number(part.args[0])) for part in windows]
    tests.append(Bracketed(expression("start == 0 or end - start == 1")))
    return (If(joined("and", tests), (Return(expression("one_tile(end - start, None, like)")),)),)

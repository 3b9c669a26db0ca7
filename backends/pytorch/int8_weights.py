"""Int8 weights, stored as torchao does, whose products on the CPU read 8 bits per weight.

For a product on the CPU, torchao 0.18 converts all weights to float32, or sums them, so decoding is
slower than in float32. oneDNN multiplies uint8 with int8 and adds up in int32, exactly, where the
CPU has VNNI instructions; without them, sums of two products saturate. So activations are rounded
to integers, which are written as bytes:

int8-dynamic   one byte; scale of a token: its largest magnitude / 127
int8           three bytes, an error of 2^-22 of the largest magnitude. They are three rows of the
               product, whose results are added with the factors 1, 256 and 65536

On other devices and CPUs, while compiling, and where activations need gradients, torchao computes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchao.quantization import Int8Tensor


class Digits(NamedTuple):
    """How numbers are written as bytes.

    A float32 of 2^23 … 2^24 is an integer, which its lowest 23 bits contain. So adding an integer
    of this range rounds to integers, and the lowest bytes of the result are the digits.

    length: number of bytes
    largest: largest integer; the scale of a token is its largest magnitude / `largest`
    start: what is added: a power of two, and `zero` in each digit
    zero: digit of 0
    """

    length: int
    largest: int
    start: Tensor
    zero: int


ONE = Digits(1, 0x7F, torch.tensor(float(2**23 + 2**22 + 0x80)), 0x80)
THREE = Digits(3, 0x3FBFBF, torch.tensor(float(2**23 + 0x404040)), 0x40)
BLOCK = 512
"""Number of tokens that are multiplied at once, which bounds the memory of three rows for each."""
WIDTH = 2**31 // (255 * 128)
"""Largest number of products whose sum fits into int32."""


class Int8Weight(Int8Tensor):  # type: ignore[misc]
    """A matrix in int8, with a scale per row."""

    _packed: Packed | None = None

    @classmethod
    def of(cls, given: Int8Tensor) -> Int8Weight:
        """The same tensors in this class."""
        names, attributes = given.__tensor_flatten__()
        parts = {name: getattr(given, name) for name in names}
        made: Int8Weight = cls.__tensor_unflatten__(parts, attributes, None, None)
        return made

    def packed(self) -> Packed:
        """The weights for products, made once."""
        if self._packed is None or self._packed.version != version_of(self.qdata):
            digits = THREE if self.act_quant_kwargs is None else ONE
            self._packed = Packed(self.qdata, self.scale.flatten().float(), digits)
        return self._packed

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_packed"}


@lru_cache(maxsize=1)
def missing() -> str:
    """What this computer lacks for the products of this module; empty if nothing."""
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if not any(able.get(name) for name in ("avx512_vnni", "avx_vnni", "amx_int8")):
        return "the CPU has no VNNI instructions"
    x, stored = torch.full((4, 64), 255, dtype=torch.uint8), torch.full((8, 64), 127).char()
    try:
        packed = Packed(stored, torch.full((8,), 127.0), ONE)
        found = [packed.of_row(x[:1], stored), packed.of_rows(x)]
    except (AttributeError, RuntimeError) as error:
        return f"PyTorch cannot multiply uint8 with int8 ({str(error).partition(chr(10))[0]})"
    exact = all(bool((y == (255 - ONE.zero) * 127 * 64).all()) for y in found)
    return "" if exact else "products of uint8 with int8 are not exact"


def _embedding(_: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """The rows of the ids; torchao converts the whole table for each lookup."""
    weight, ids = args[:2]
    rows: Tensor = weight.qdata[ids] * weight.scale[ids]
    return rows.to(weight.dtype)


def _linear(_: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    return linear(*args, **kwargs)


def linear(input: Tensor, weight: Int8Weight, bias: Tensor | None = None) -> Tensor:
    """`F.linear` with an int8 weight."""
    shape = (*input.shape[:-1], len(weight.qdata))
    if not input.numel():  # torchao cannot find the largest magnitude of nothing
        return input.new_zeros(shape)
    if not computed_here(input, weight):
        found: Tensor = _LINEAR(torch.nn.functional.linear, (), (input, weight, bias), {})
        return found
    rows = input.reshape(-1, input.shape[-1]).float()
    if len(rows) <= BLOCK:
        return _product(rows, weight, bias).view(shape).to(input.dtype)
    parts = [_product(block, weight, bias) for block in torch.split(rows, BLOCK)]
    return torch.cat(parts).view(shape).to(input.dtype)


def _split(_: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Int8Weight]:
    """Views of the rows, by which joined projections are saved and loaded."""
    weight, sizes = args[:2]
    names, attributes = weight.__tensor_flatten__()
    parts = [
        dict(zip(names, rows, strict=True))
        for rows in zip(*(torch.split(getattr(weight, name), sizes) for name in names), strict=True)
    ]
    return [Int8Weight.__tensor_unflatten__(rows, attributes, None, None) for rows in parts]


Int8Weight.implements(torch.ops.aten.split_with_sizes.default)(_split)
Int8Weight.implements(torch.ops.aten.embedding.default)(_embedding)
Int8Weight.implements_torch_function(torch.nn.functional.linear)(_linear)
_LINEAR = Int8Tensor._TORCH_FN_TABLE[Int8Tensor][torch.nn.functional.linear]


def computed_here(x: Tensor, weight: Int8Weight) -> bool:
    """Whether this module computes a product; otherwise, torchao does."""
    return (
        x.is_cpu
        and weight.qdata.is_cpu
        and x.shape[-1] <= WIDTH
        and not (x.requires_grad and torch.is_grad_enabled())
        and not torch.compiler.is_compiling()
        and not missing()
    )


def _product(x: Tensor, weight: Int8Weight, bias: Tensor | None) -> Tensor:
    """(M, D) -> (M, N). Magnitudes of 2^100 and more overflow."""
    packed, count = weight.packed(), len(x)
    digits = packed.digits
    largest = x.abs().amax(-1, keepdim=True)
    numbers = torch.addcdiv(digits.start, x, largest, value=digits.largest)  # 0 / 0: times 0, below
    wide = weight.qdata.size(0) <= weight.qdata.size(1)  # more inputs than outputs
    if digits is ONE and count == 1 and wide:
        y = packed.of_row(numbers.view(torch.uint8)[:, ::4].contiguous(), weight.qdata)
    else:
        rows = numbers.view(torch.uint8).view(*x.shape, 4).permute(2, 0, 1)
        rows = rows if count == 1 else rows[: digits.length]  # the kernel for four rows is faster
        y, *more = torch.split(packed.of_rows(rows.flatten(0, 1)), count)
        if digits is THREE:
            y = y.add_(more[0], alpha=1 << 8).add_(more[1], alpha=1 << 16)
    return y.mul_(largest) if bias is None else torch.addcmul(bias, y, largest)


class Packed:
    """Weights (N, D) as oneDNN reads them, for products with bytes. Not copied or saved.

    version: number of changes of the stored weights before they were packed
    """

    def __init__(self, stored: Tensor, scale: Tensor, digits: Digits) -> None:
        self.digits, self.version = digits, version_of(stored)
        self.scale = scale / digits.largest
        self.zeros = torch.zeros(len(scale), dtype=torch.int64)
        self.sums = stored.sum(1, dtype=torch.int32) * digits.zero
        self.blocks = torch.ops.onednn.qlinear_prepack(stored, None)

    def of_row(self, x: Tensor, stored: Tensor) -> Tensor:
        """Like `of_rows`, of one row. If the weights have long rows, reading them is faster."""
        return torch._int_mm(x, stored.t()).sub_(self.sums) * self.scale

    def of_rows(self, x: Tensor) -> Tensor:
        """((x - zero) @ weight.T) / largest, (M, D) -> (M, N)"""
        y: Tensor = torch.ops.onednn.qlinear_pointwise.default(
            x, 1.0, self.digits.zero, self.blocks, self.scale, self.zeros, None, 1.0, 0,
            torch.float32, "none", [], "",
        )  # fmt: skip
        return y

    def __deepcopy__(self, memo: dict[int, Any]) -> None:
        return None


def version_of(stored: Tensor) -> int:
    """The number of changes of a tensor, which is not counted in inference mode."""
    return 0 if stored.is_inference() else stored._version


torch.serialization.add_safe_globals([Int8Weight])

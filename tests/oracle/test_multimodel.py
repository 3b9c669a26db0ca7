"""MultiModel against NumPy that is written from the paper (Kaiser et al., 2017, arXiv:1706.05137),
and trained on two kinds of data by turns. Equations are those of section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import modelwright as mw

SMALL = {"d_model: 512": "d_model: 16", "channels: 512": "channels: 16", "heads: 8": "heads: 2"}
SMALL |= {
    "experts: 240": "experts: 5",
    "d_ff: 2048": "d_ff: 6",
    "vocab_size: 8192": "vocab_size: 9",
}
SMALL |= {"image_size: 299": "image_size: 37"}
HEADS, TOP = 2, 4
Array = np.ndarray[Any, Any]
ABSENT = ("encoder.pixel_values_embedding.", "encoder.input_values_embedding.")


@cache
def spec() -> mw.ModelSpec:
    """The example, with small sizes."""
    text = (Path(__file__).parents[2] / "examples" / "multimodel.yaml").read_text(encoding="utf-8")
    for before, after in SMALL.items():
        assert before in text
        text = text.replace(before, after)
    return mw.loads(text)


def model_of(dtype: torch.dtype) -> Any:
    model = mw.compile(spec(), dtype=dtype, seed=0)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=draw).to(dtype)
    return model


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def softmax(x: Array) -> Array:
    x = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(x / x.sum(-1, keepdims=True))


class Paper:
    """The model, for one sequence. `w` are its weights by name."""

    def __init__(self, weights: dict[str, Array]) -> None:
        self.w = weights

    def linear(self, name: str, x: Array) -> Array:
        y = x @ self.w[f"{name}.weight"].T
        return np.asarray(y + self.w[f"{name}.bias"] if f"{name}.bias" in self.w else y)

    def norm(self, name: str, x: Array) -> Array:
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
        return np.asarray(x * self.w[f"{name}.weight"] + self.w[f"{name}.bias"])

    # -- convolutional blocks (section 2.1)

    def depthwise(self, name: str, x: Array, stride: int, dilation: int, left: int) -> Array:
        """Each channel of x (T, C) with a kernel of its own; `left` zeros stand before x."""
        kernel, bias = self.w[f"{name}.weight"][:, 0], self.w[f"{name}.bias"]  # (C, K)
        reach = dilation * (kernel.shape[1] - 1)
        padded = np.pad(x, ((left, reach - left), (0, 0)))
        starts = range(0, len(x), stride)
        steps = range(kernel.shape[1])
        rows = [sum(kernel[:, k] * padded[t + dilation * k] for k in steps) for t in starts]
        return np.asarray(rows + bias)

    def conv_step(self, name: str, x: Array, kernel: int, dilation: int, *, causal: bool) -> Array:
        """ConvStep = LN(SepConv(ReLU(x)))."""
        reach = dilation * (kernel - 1)
        y = self.depthwise(
            f"{name}.depthwise", relu(x), 1, dilation, reach if causal else reach // 2
        )
        y = y @ self.w[f"{name}.pointwise.weight"][:, :, 0].T + self.w[f"{name}.pointwise.bias"]
        return self.norm(f"{name}_output_norm", y)

    def conv_block(self, name: str, x: Array, *, causal: bool) -> Array:
        """hidden1 to hidden4, without dropout."""
        hidden1 = self.conv_step(f"{name}.conv1", x, 3, 1, causal=causal)
        hidden2 = x + self.conv_step(f"{name}.conv2", hidden1, 3, 1, causal=causal)
        hidden3 = self.conv_step(f"{name}.conv3", hidden2, 15, 1, causal=causal)
        return x + self.conv_step(f"{name}.conv4", hidden3, 15, 8, causal=causal)

    # -- attention (section 2.2) and experts (section 2.3; Shazeer et al., 2017, eq. 1 to 5)

    def timing(self, x: Array) -> Array:
        """[sin(t delta) || cos(t delta)] is added to x."""
        depth = x.shape[1]
        delta = 1e4 ** (-2 * np.arange(depth // 2) / depth)
        angles = np.arange(len(x))[:, None] * delta
        return np.asarray(x + np.concatenate([np.sin(angles), np.cos(angles)], axis=1))

    def attend(self, name: str, target: Array, source: Array, *, causal: bool) -> Array:
        q = self.linear(f"{name}.query", target)
        k, v = (self.linear(f"{name}.{part}", source) for part in ("key", "value"))
        width = q.shape[1] // HEADS
        found = []
        for head in range(HEADS):
            own = slice(head * width, (head + 1) * width)
            scores = q[:, own] @ k[:, own].T / np.sqrt(width)
            if causal:
                scores = np.where(np.tri(len(scores), dtype=bool), scores, -np.inf)
            found.append(softmax(scores) @ v[:, own])
        return self.linear(f"{name}.output", np.concatenate(found, axis=1))

    def attention_block(self, name: str, target: Array, source: Array) -> Array:
        """Self-attention, then attention to the source."""
        x = self.norm(f"{name}.attention_norm", target)
        target = target + self.attend(f"{name}.attention", x, x, causal=True)
        x = self.norm(f"{name}.cross_attention_norm", target)
        return target + self.attend(f"{name}.cross_attention", x, source, causal=False)

    def experts(self, name: str, x: Array) -> Array:
        found = x.copy()
        for t, row in enumerate(self.norm(f"{name}.feed_forward_norm", x)):
            logits = self.linear(f"{name}.feed_forward.router", row)
            kept = np.where(logits >= np.sort(logits)[-TOP], logits, -np.inf)  # KeepTopK
            for expert, gate in enumerate(softmax(kept)):
                up, up_bias, down, down_bias = (
                    self.w[f"{name}.feed_forward.experts.{part}"][expert]
                    for part in ("up", "up_bias", "down", "down_bias")
                )
                found[t] += gate * (relu(row @ up.T + up_bias) @ down.T + down_bias)
        return found

    # -- modality nets (section 2.5), each ConvRes one strided convolution

    def image(self, pixels: Array) -> Array:
        """A vector for each pixel that is left, row by row."""
        name = "encoder.pixel_values_embedding"
        x = np.asarray(pixels.transpose(1, 2, 0))  # (H, W, C)
        for number, stride in enumerate((2, 1, 2, 2, 2), start=1):
            if number > 2:
                x = self.conv2d(f"{name}.conv{number}_depthwise", x, stride)
                pointwise = self.w[f"{name}.conv{number}.weight"][:, :, 0, 0]
                x = x @ pointwise.T + self.w[f"{name}.conv{number}.bias"]
            else:
                x = self.conv2d(f"{name}.conv{number}", x, stride)
            x = relu(self.norm(f"{name}.conv{number}_norm", x))
        return x.reshape(-1, x.shape[-1])

    def conv2d(self, name: str, x: Array, stride: int) -> Array:
        """3 x 3; depthwise if the weight has one channel."""
        weight, padded = self.w[f"{name}.weight"], np.pad(x, ((1, 1), (1, 1), (0, 0)))
        places = [range(0, side, stride) for side in x.shape[:2]]
        found = np.zeros((len(places[0]), len(places[1]), len(weight)))
        for i, top in enumerate(places[0]):
            for j, left in enumerate(places[1]):
                field = padded[top : top + 3, left : left + 3]
                if weight.shape[1] == 1:
                    found[i, j] = np.einsum("yxc,cyx->c", field, weight[:, 0])
                else:
                    found[i, j] = np.einsum("yxc,ocyx->o", field, weight)
        return np.asarray(found + self.w[f"{name}.bias"])

    def sound(self, wave: Array) -> Array:
        """Eight convolutions, the i-th with 2^i channels."""
        name, x = "encoder.input_values_embedding", wave[:, None]
        for number in range(1, 9):
            x = self.depthwise(f"{name}.conv{number}_depthwise", x, 2, 1, 1)
            x = x @ self.w[f"{name}.conv{number}.weight"][:, :, 0].T
            x = x + self.w[f"{name}.conv{number}.bias"]
            x = relu(self.norm(f"{name}.conv{number}_norm", x))
            assert x.shape[1] == 2**number
        return self.linear(f"{name}.input_projection", x)

    # -- encoder, mixer and decoder (section 2.4)

    def logits(self, inputs: Array, target: Array) -> Array:
        table = self.w["token_embedding.weight"]
        x = self.timing(inputs)
        for layer in range(7):
            name = f"encoder.layers.{layer}"
            x = self.experts(name, x) if layer == 3 else self.conv_block(name, x, causal=False)
        source = self.norm("encoder.norm", x)
        x = self.timing(table[target])
        for layer in range(5):
            name = f"mixer.layers.{layer}"
            if layer == 2:
                x = self.attention_block(name, x, source)
            else:
                x = self.conv_block(name, x, causal=True)
        for layer in range(9):
            name = f"decoder.layers.{layer}"
            if layer == 4:
                x = self.experts(name, x)
            elif layer in (1, 3, 6, 8):
                x = self.attention_block(name, x, source)
            else:
                x = self.conv_block(name, x, causal=True)
        return self.linear("head", self.norm("decoder.norm", x))


DATA: dict[str, Callable[[np.random.Generator], Array]] = {
    "input_ids": lambda draw: draw.integers(0, 9, 6),
    "pixel_values": lambda draw: draw.standard_normal((3, 37, 37)),
    "input_values": lambda draw: draw.standard_normal(1000),
}


@pytest.mark.parametrize("kind", DATA)
def test_it_is_the_model_of_the_paper(kind: str) -> None:
    model = model_of(torch.float64).eval()
    weights = {name: weight.numpy() for name, weight in model.state_dict().items()}
    draw = np.random.default_rng(0)
    given, target = DATA[kind](draw), draw.integers(0, 9, 20)
    paper = Paper(weights)
    nets = {"pixel_values": paper.image, "input_values": paper.sound}
    nets["input_ids"] = lambda ids: weights["token_embedding.weight"][ids]
    expected = paper.logits(nets[kind](given), target)
    with torch.no_grad():
        found = model(torch.from_numpy(target)[None], **{kind: torch.from_numpy(given)[None]})
    assert expected.std() > 0.1
    assert abs(found[0].numpy() - expected).max() < 1e-12 * abs(expected).max()


def test_it_learns_from_text_and_images_by_turns() -> None:
    model = model_of(torch.float32).train()
    draw = torch.Generator().manual_seed(0)
    target = torch.randint(0, 9, (4, 5), generator=draw)
    turns = [  # without the nets of the other kinds; words are those of the target too
        ("input_ids", torch.randint(0, 9, (4, 6), generator=draw), ABSENT),
        ("pixel_values", torch.randn(4, 3, 37, 37, generator=draw), ABSENT[1:]),
    ]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses: dict[str, list[float]] = {kind: [] for kind, _, _ in turns}
    for kind, given, absent in turns * 4:
        optimizer.zero_grad()
        loss = model.loss(model(target[:, :-1], **{kind: given}), target[:, 1:])
        loss.backward()
        without = {name for name, weight in model.named_parameters() if weight.grad is None}
        assert without == {n for n, _ in model.named_parameters() if n.startswith(absent)}
        optimizer.step()
        losses[kind].append(loss.item())
    for kind, found in losses.items():
        assert found[-1] < 0.9 * found[0], f"{kind}: {found}"

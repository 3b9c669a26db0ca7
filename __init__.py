"""Modelwright compiles a YAML description of a transformer into a PyTorch model.

    import modelwright as mw

    model = mw.compile("gpt2.yaml", device="cuda", dtype="bfloat16", seed=0)
    print(mw.report("gpt2.yaml").render())
    text = mw.to_yaml(mw.load("gpt2.yaml", sets=["layers=6"]))

Functions take a spec, the path of its file, or its graph. Names are imported on first use, and only
compiling a model and loading weights import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from . import notebook  # noqa: F401 - registers the figures that notebooks show
from .version import __version__

if TYPE_CHECKING:
    from .api import (
        difference,
        draw,
        draw_attention,
        draw_masks,
        emit,
        explore,
        lower,
        plan,
        prune,
        report,
        show,
        to_yaml,
        train,
        verify,
    )
    from .backends.diagram import DrawOptions
    from .backends.diagram.compare import draw_difference
    from .backends.diagram.masks import MaskOptions, draw_mask
    from .backends.huggingface import export, from_pretrained
    from .backends.pytorch import compile, load_weights, save_weights
    from .backends.pytorch.attention_maps import attention_maps
    from .backends.pytorch.hidden_states import hidden_states, logit_lens
    from .backends.pytorch.position_table import position_table
    from .backends.pytorch.without_heads import without_heads
    from .spec import ModelSpec, SpecErrors, from_data, load, loads


__all__ = [
    "DrawOptions",
    "MaskOptions",
    "ModelSpec",
    "SpecErrors",
    "__version__",
    "attention_maps",
    "compile",
    "difference",
    "draw",
    "draw_attention",
    "draw_difference",
    "draw_mask",
    "draw_masks",
    "emit",
    "explore",
    "export",
    "from_data",
    "from_pretrained",
    "hidden_states",
    "load",
    "load_weights",
    "loads",
    "logit_lens",
    "lower",
    "plan",
    "position_table",
    "prune",
    "report",
    "save_weights",
    "show",
    "to_yaml",
    "train",
    "verify",
    "without_heads",
]

_HOME = {
    "DrawOptions": ".backends.diagram",
    "MaskOptions": ".backends.diagram.masks",
    "ModelSpec": ".spec",
    "SpecErrors": ".spec",
    "attention_maps": ".backends.pytorch.attention_maps",
    "compile": ".backends.pytorch",
    "difference": ".api",
    "draw": ".api",
    "draw_attention": ".api",
    "draw_difference": ".backends.diagram.compare",
    "draw_mask": ".backends.diagram.masks",
    "draw_masks": ".api",
    "emit": ".api",
    "explore": ".api",
    "export": ".backends.huggingface",
    "from_pretrained": ".backends.huggingface",
    "from_data": ".spec",
    "hidden_states": ".backends.pytorch.hidden_states",
    "load": ".spec",
    "load_weights": ".backends.pytorch",
    "loads": ".spec",
    "logit_lens": ".backends.pytorch.hidden_states",
    "lower": ".api",
    "plan": ".api",
    "position_table": ".backends.pytorch.position_table",
    "prune": ".api",
    "report": ".api",
    "save_weights": ".backends.pytorch",
    "show": ".api",
    "to_yaml": ".api",
    "train": ".api",
    "verify": ".api",
    "without_heads": ".backends.pytorch.without_heads",
}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

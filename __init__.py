"""Modelwright compiles a YAML description of a transformer into a PyTorch model.

    import modelwright as mw

    model = mw.compile("gpt2.yaml", device="cuda", dtype="bfloat16", seed=0)
    graph = mw.lower(mw.load("gpt2.yaml"))
    print(mw.report(graph).render())

Importing this module is cheap: each name is fetched from its module when it is first used, so
that only running a model, or loading its weights, imports torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from . import notebook  # noqa: F401 - says who draws what notebooks show
from .version import __version__

if TYPE_CHECKING:
    from .backends.diagram import DrawOptions, draw
    from .backends.diagram.compare import draw_difference
    from .backends.diagram.masks import MaskOptions, draw_mask, draw_masks
    from .backends.huggingface import export, from_pretrained
    from .backends.pytorch import compile, emit, load_weights, save_weights
    from .backends.verify import verify
    from .compiler import lower
    from .compiler.difference_text import difference
    from .compiler.report import report
    from .spec import ModelSpec, SpecErrors, load, loads


__all__ = [
    "DrawOptions",
    "MaskOptions",
    "ModelSpec",
    "SpecErrors",
    "__version__",
    "compile",
    "difference",
    "draw",
    "draw_difference",
    "draw_mask",
    "draw_masks",
    "emit",
    "export",
    "from_pretrained",
    "load",
    "load_weights",
    "loads",
    "lower",
    "report",
    "save_weights",
    "verify",
]

_HOME = {
    "DrawOptions": ".backends.diagram",
    "MaskOptions": ".backends.diagram.masks",
    "ModelSpec": ".spec",
    "SpecErrors": ".spec",
    "compile": ".backends.pytorch",
    "difference": ".compiler.difference_text",
    "draw": ".backends.diagram",
    "draw_difference": ".backends.diagram.compare",
    "draw_mask": ".backends.diagram.masks",
    "draw_masks": ".backends.diagram.masks",
    "emit": ".backends.pytorch",
    "export": ".backends.huggingface",
    "from_pretrained": ".backends.huggingface",
    "load": ".spec",
    "load_weights": ".backends.pytorch",
    "loads": ".spec",
    "lower": ".compiler",
    "report": ".compiler.report",
    "save_weights": ".backends.pytorch",
    "verify": ".backends.verify",
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

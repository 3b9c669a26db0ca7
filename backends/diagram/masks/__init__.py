"""Figures of masks: which query attends to which key, and which predicate allows it.

draw_masks(graph)              a panel for every distinct mask of a model
draw_mask(mask)                 one mask by itself
"""

from __future__ import annotations

from dataclasses import dataclass

from ....compiler.density import EXACT
from ....compiler.formula import AnyMask, formula_of
from ....compiler.graph import ModuleGraph
from ..bitmap import bitmap
from ..options import DrawError
from ..written import written
from .colours import THEMES
from .kernels import computed
from .panel import Panel, panel
from .scale import LIMIT, Scale, choose
from .seen import LONGEST, Seen, masks_of
from .sheet import Sheet, lay_out
from .svg import Place, svg

FORMATS = ("svg", "png", "pdf")


@dataclass(frozen=True, kw_only=True)
class MaskOptions:
    """How masks are drawn. Raises DrawError for a value that is not supported.

    tokens          number of tokens to draw; None: enough to show windows and blocks
    factor          divisor of window and block sizes; None: chosen to fit, 1: full size
    padding         number of padding tokens at the end
    kernel_blocks   distinguish scores that are computed and masked from scores that are skipped
    theme           auto (follows the mode of the page), light, dark or print
    """

    tokens: int | None = None
    factor: int | None = None
    padding: int = 0
    kernel_blocks: bool = False
    theme: str = "auto"

    def __post_init__(self) -> None:
        if self.theme not in THEMES:
            raise DrawError(f"unknown theme `{self.theme}`; expected one of: {', '.join(THEMES)}")
        if self.tokens is not None and not 1 <= self.tokens <= LIMIT:
            raise DrawError(f"tokens must be from 1 to {LIMIT:,}, not {self.tokens}")
        if self.factor is not None and self.factor < 1:
            raise DrawError(f"factor must be at least 1, not {self.factor}")
        if self.padding < 0:
            raise DrawError(f"padding must be at least 0, not {self.padding}")
        if self.tokens is not None and self.padding >= self.tokens:
            raise DrawError(f"padding ({self.padding}) must be below tokens ({self.tokens})")


def draw_masks(
    graph: ModuleGraph, format: str = "svg", options: MaskOptions | None = None
) -> bytes:
    """Draw the attention masks of a model, one panel for each distinct mask.

    Raises DrawError for an unknown format, and for a model without attention.
    """
    options = options or MaskOptions()
    sheet = mask_sheet(graph, options)
    return _written(sheet, format, options, lambda origin: written(graph, origin))


def draw_mask(mask: AnyMask, format: str = "svg", options: MaskOptions | None = None) -> bytes:
    """Draw a single mask. Returns the bytes of the file.

    mask: a parsed mask, such as `spec.stacks["decoder"].blocks["block"].mask`
    format: svg, png or pdf

    Raises DrawError for an unknown format.
    """
    options = options or MaskOptions()
    formula = formula_of(mask)
    seen = Seen(formula, "", "", None, LONGEST, 0)
    scale = choose([formula], LONGEST, options.tokens, options.factor)
    drawn = panel(seen, scale, padding=options.padding)
    sheet = lay_out(str(mask), [drawn], _notes([drawn], scale, options))
    return _written(sheet, format, options)


def mask_panels(graph: ModuleGraph, options: MaskOptions) -> tuple[list[Panel], Scale]:
    """The panels and their common scale."""
    found = masks_of(graph)
    if not found:
        raise DrawError(f"{graph.name} has no attention scores, so it has no masks")
    formulas = [seen.formula for seen in found]
    length = max(seen.length for seen in found)
    scale = choose(formulas, length, options.tokens, options.factor)
    kernels = [computed(graph, seen) if options.kernel_blocks else None for seen in found]
    panels = [
        panel(seen, scale, padding=options.padding, kernel=kernel, rows=EXACT // len(found))
        for seen, kernel in zip(found, kernels, strict=True)
    ]
    return panels, scale


def mask_sheet(graph: ModuleGraph, options: MaskOptions) -> Sheet:
    panels, scale = mask_panels(graph, options)
    return lay_out(graph.name, panels, _notes(panels, scale, options))


def _notes(panels: list[Panel], scale: Scale, options: MaskOptions) -> list[str]:
    """Notes about the whole sheet."""
    notes = []
    if any(panel.title != str(panel.formula) for panel in panels):
        notes.append(f"Drawn with {scale.tokens} tokens; sizes are divided by {scale.factor:,}.")
    data = list(dict.fromkeys(note for panel in panels for note in panel.notes))
    if options.padding:
        data.append(f"attention_mask: 0 at the last {options.padding}")
    if data:
        notes.append(f"Data of this example: {'; '.join(data)}.")
    if any(len(panel.cells) > 1 for panel in panels):
        notes.append("A pair that several predicates allow has the colour of the first one.")
    return notes


def _written(
    sheet: Sheet,
    format: str,
    options: MaskOptions,
    place: Place | None = None,
) -> bytes:
    if format not in FORMATS:
        raise DrawError(f"unknown format `{format}`; expected one of: {', '.join(FORMATS)}")
    if format == "svg":
        return svg(sheet, options.theme, place)
    theme = "light" if options.theme == "auto" else options.theme  # a page without a reader
    if format == "png":
        return bitmap(svg(sheet, theme, place))
    from .pdf import pdf

    return pdf(sheet, theme)


__all__ = ["FORMATS", "MaskOptions", "draw_mask", "draw_masks", "mask_panels", "masks_of"]

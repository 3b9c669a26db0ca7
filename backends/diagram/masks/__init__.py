"""Pictures of masks: which query sees which key, and which atom of the formula lets it.

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
    """How masks are drawn. Raises DrawError for what cannot be.

    tokens          how many are drawn; None chooses so that windows and blocks can be seen
    factor          what sizes are divided by; None chooses, 1 draws them as they are
    padding         so many tokens at the end are padding
    kernel_blocks   tell what the kernel computes and throws away from what it never computes
    theme           auto (light, and dark where the page is), light, dark or print
    """

    tokens: int | None = None
    factor: int | None = None
    padding: int = 0
    kernel_blocks: bool = False
    theme: str = "auto"

    def __post_init__(self) -> None:
        if self.theme not in THEMES:
            raise DrawError(f"no theme `{self.theme}`: it is one of {', '.join(THEMES)}")
        if self.tokens is not None and not 1 <= self.tokens <= LIMIT:
            raise DrawError(f"{self.tokens} tokens: 1 to {LIMIT:,} can be drawn")
        if self.factor is not None and self.factor < 1:
            raise DrawError(f"sizes divided by {self.factor}: it must be at least 1")
        if self.padding < 0:
            raise DrawError(f"{self.padding} tokens of padding: it must be at least 0")


def draw_masks(
    graph: ModuleGraph, format: str = "svg", options: MaskOptions | None = None
) -> bytes:
    """Every distinct mask of a model, a panel each. The same graph gives the same bytes.

    Raises DrawError for another format, and for a model without attention.
    """
    options = options or MaskOptions()
    sheet = mask_sheet(graph, options)
    return _written(sheet, format, options, lambda origin: written(graph, origin))


def draw_mask(mask: AnyMask, format: str = "svg", options: MaskOptions | None = None) -> bytes:
    """One mask by itself."""
    options = options or MaskOptions()
    formula = formula_of(mask)
    seen = Seen(formula, "", "", None, LONGEST, 0)
    scale = choose([formula], LONGEST, options.tokens, options.factor)
    drawn = panel(seen, scale, padding=options.padding)
    sheet = lay_out(str(mask), [drawn], _notes([drawn], scale, options))
    return _written(sheet, format, options)


def mask_panels(graph: ModuleGraph, options: MaskOptions) -> tuple[list[Panel], Scale]:
    """The panels, and at which scale all of them are."""
    found = masks_of(graph)
    if not found:
        raise DrawError(
            f"{graph.name} has no attention that compares queries and keys: it has no mask"
        )
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
    """What a reader must know of the whole sheet."""
    notes = []
    if any(panel.title != str(panel.formula) for panel in panels):
        notes.append(f"Drawn with {scale.tokens} tokens; sizes are divided by {scale.factor:,}.")
    data = list(dict.fromkeys(note for panel in panels for note in panel.notes))
    if options.padding:
        data.append(f"attention_mask: 0 at the last {options.padding}")
    if data:
        notes.append(f"Data of this example: {'; '.join(data)}.")
    if any(len(panel.cells) > 1 for panel in panels):
        notes.append("A pair that several atoms admit has the colour of the first of them.")
    return notes


def _written(
    sheet: Sheet,
    format: str,
    options: MaskOptions,
    place: Place | None = None,
) -> bytes:
    if format not in FORMATS:
        raise DrawError(f"no format `{format}`: it is one of {', '.join(FORMATS)}")
    if format == "svg":
        return svg(sheet, options.theme, place)
    theme = "light" if options.theme == "auto" else options.theme  # a page without a reader
    if format == "png":
        return bitmap(svg(sheet, theme, place))
    from .pdf import pdf

    return pdf(sheet, theme)


__all__ = ["FORMATS", "MaskOptions", "draw_mask", "draw_masks", "mask_panels"]

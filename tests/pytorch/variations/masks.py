"""Masks: of a stack, of heads, of layers, and of global tokens."""

from __future__ import annotations

from .attention import LATENT
from .base import Variation, both, decoder, encoder

MASKS = (
    "full",
    "causal",
    "causal & window(3)",
    "window(3)",
    "band(2)",
    "band(3, 1)",
    "band(2) & causal",
    "strided(3)",
    "causal & strided(3)",
    "causal & fixed(4, 1)",
    "fixed(4, 2)",
    "blocks(4)",
    "blocks(4, 1)",
    "causal & blocks(4)",
    "random(2, 2)",
    "blocks(2) | random(2, 1, 7)",
    "blocks(2, 1) | global(0:2) | global(-2:) | random(2, 2)",
    "causal | prefix",
    "documents",
    "causal & documents",
    "band(2) | global(given)",
    "global(2) | band(1)",
    "causal & keys(0:4) | keys(2:-1)",
    "queries(1:3) | causal",
    "queries(-3:-1) | causal",
    "keys(-3:) | causal",
    "~causal",
    "~causal | band(0)",
    "causal & ~(strided(2) & band(5))",
)

MASKS_OF_LAYERS = (
    ("causal", "full"),
    ("full", "causal", "band(2)"),
    ("causal", "causal & window(3)", "causal & documents"),
    ("causal", "causal | prefix"),
)


def in_turns(*masks: str) -> tuple[str, str]:
    """Layers that have these masks, one after the other."""
    kinds = dict(zip("abc", masks, strict=False))
    blocks = ", ".join(f'{kind}: {{mask: "{mask}"}}' for kind, mask in kinds.items())
    return f"blocks={{{blocks}}}", f"pattern=[{', '.join(kinds)}]"


ROWS: dict[str, Variation] = {
    **{f"mask {formula}": encoder(f'mask="{formula}"') for formula in MASKS},
    "masks_of_heads": encoder('mask=["band(2)", "full"]'),
    "masks_of_heads_padded": encoder(
        'mask=["band(2) | global(given)", "documents", "strided(2)", "strided(3)"]',
        "positions=alibi",
    ),
    "masks_of_heads_of_a_decoder": decoder(
        'mask=["causal & window(4)", "causal & strided(4)"]', "attention={heads: 4, kv_heads: 2}"
    ),
    "masks_of_heads_in_some_layers": decoder(
        "layers=3",
        'blocks={a: {mask: ["causal & window(3)", causal]}, b: {mask: causal, attention: '
        "{softcap: 4}}}",
        "pattern=[a, b]",
        "dropout=0.1",
    ),
    **{
        f"mask of a decoder {formula}": decoder(f'mask="{formula}"', "positions=rotary")
        for formula in ("causal & window(3)", "causal | prefix", "causal & documents")
    },
    **{
        f"masks_of_layers {' and '.join(masks)}": decoder(
            *in_turns(*masks), "positions=rotary", "layers=3", "dropout=0.1"
        )
        for masks in MASKS_OF_LAYERS
    },
    "masks_of_layers_dense": decoder(
        *in_turns("causal", "causal & blocks(4)"),
        "positions=rotary",
        "attention={heads: 4, kernel: dense}",
    ),
    "masks_of_layers_both": both(
        *(
            f"{stack}.{pattern}"
            for stack, masks in (("encoder", ("full", "causal")), ("decoder", ("causal", "full")))
            for pattern in in_turns(*masks)
        ),
        "decoder.layers=3",
    ),
    **{
        f"kernel_{kernel}{suffix}": decoder(
            f"attention={{{options}, kernel: {kernel}}}", "positions=rotary", f'mask="{mask}"'
        )
        for kernel in ("dense", "tiles")
        for suffix, options, mask in (
            ("", "heads: 4, kv_heads: 2", "causal & window(3)"),
            ("_of_latents", LATENT, "causal & (window(3) | blocks(4))"),
        )
    },
    "kernel_tiles_relative": encoder(
        "attention={heads: 4, kernel: tiles}",
        "positions={type: relative_bias, buckets: 8, max_distance: 9}",
        'mask="band(2, 1)"',
    ),
    "kernel_tiles_capped": decoder(
        "attention={heads: 4, kv_heads: 2, softcap: 2.0, sinks: true, kernel: tiles}",
        "positions=alibi",
        'mask="causal & window(3)"',
    ),
    "separate_global": encoder(
        "attention={heads: 4, separate_global: true}", 'mask="band(2) | global(given)"'
    ),
    "separate_global_ranges": encoder(
        "attention={heads: 4, kv_heads: 2, separate_global: true, bias: [query], qk_norm: head, "
        "value_dim: 6, dropout: 0.1}",
        'mask="band(1) | global(0:2) | global(-2:) | global(given)"',
        "positions=[rotary, alibi]",
    ),
    "separate_global_with_sinks": encoder(
        "attention={heads: 4, kv_heads: 2, separate_global: true, sinks: true}",
        'mask="band(1) | global(0:2)"',
    ),
    "separate_global_with_zero_sinks": encoder(
        "attention={heads: 4, separate_global: true, sinks: zero}", 'mask="band(2) | global(given)"'
    ),
    "separate_global_of_a_decoder": decoder(
        "attention={heads: 4, separate_global: true, softcap: 5}",
        'mask="causal & (window(3) | global(3))"',
        "blocks={a: {}, b: {attention: {separate_global: false}}}",
        "pattern=[a, b]",
    ),
}

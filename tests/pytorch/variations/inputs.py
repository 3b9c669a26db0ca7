"""Inputs of stacks, and the width of their outputs."""

from __future__ import annotations

from .base import Variation, both, decoder, encoder, images

INPUTS = {
    "scale_sqrt": "{scale: sqrt_d_model}",
    "scale": "{scale: 3.5, dropout: 0.1}",
    "width": "{width: 8}",
    "width_before": "{width: 8, project: before_positions, normalize: true}",
    "normalized_before": "{normalize: before_positions, norm: rmsnorm}",
    "vocabulary": "{vocab_size: 40}",
    "added": "{add: {token_type_ids: 2, row_ids: 3}, normalize: before_positions}",
}

STEMS = {
    "plain": "channels: 5, layers: [{channels: 16, kernel: 3}]",
    "whisper": "channels: 5, layers: [{channels: 12, kernel: 3}, "
    "{channels: 16, kernel: 3, stride: 2}]",
    "separable": "channels: 4, activation: relu, layers: [{channels: 8, kernel: 3, stride: 2, "
    "separable: true}, {channels: 8, kernel: 1}, {channels: 16, kernel: 5, dilation: 2}]",
    "waveform": "channels: 1, layout: waveform, padded: false, project: normalized, bias: false, "
    "layers: [{channels: 6, kernel: 4, stride: 2, normalize: frames}, "
    "{channels: 8, kernel: 2, dilation: 2, normalize: channels}, {channels: 8, kernel: 3}]",
    "gated": "channels: 4, layout: frames, activation: identity, scale: sqrt_d_model, "
    "layers: [{channels: 6, kernel: 5, stride: 2, gated: true}, "
    "{channels: 16, kernel: 3, gated: true}]",
    "separable_unpadded": "channels: 2, padded: false, project: true, scale: 3, layers: "
    "[{channels: 6, kernel: 4, stride: 3, separable: true, normalize: frames, gated: true}]",
    "wide": "channels: 4, argument: sound, normalize: true, "
    "layers: [{channels: 16, kernel: 7, stride: 3, dilation: 2, separable: true}]",
}

PATCHES = {
    "plain": (),
    "cls": ("input.prefix_tokens=1", "head.pool=first"),
    "no_positions": ("positions=none", "input.prefix_tokens=1"),
    "averaged": (
        "input={prefix_tokens: 2, registers: 1}",
        "head={type: classifier, classes: 3, pool: {type: mean, skip: 3}, pooled_norm: true}",
    ),
    "first_and_averaged": (
        "input={prefix_tokens: 1, registers: 2}",
        "head={type: classifier, classes: 3, pool: {type: first_and_mean, skip: 3}}",
    ),
    "two_tokens": ("input={prefix_tokens: 2, bias: false, channels: 1, normalize: true}",),
    "registers": ("input={prefix_tokens: 1, registers: 3, dropout: 0.1}",),
    "joined_tokens": (
        "input.prefix_tokens=3",
        "head={type: classifier, classes: 3, pool: {type: first, tokens: 2, joined: true}, "
        "pooled_norm: true, hidden: 6}",
    ),
    "overlapping": ("input.stride=3", "head={type: classifier, classes: 3, pool: first}"),
    "of_a_video": (
        "input={layout: video, image_size: [8, 12], frames: 4, tubelet_size: 2, channels: 1}",
        "positions=[{type: sinusoidal, axes: 3, widths: [4, 6, 6]}, "
        "{type: relative_table, axes: 3}]",
    ),
    "of_a_video_turned": (
        "input={layout: video, frames: 3, prefix_tokens: 1}",
        "attention.heads=2",
        "positions={type: rotary, axes: 3, widths: [4, 2, 2]}",
    ),
    "of_a_sound": (
        "input={layout: spectrogram, image_size: [8, 13], channels: 1, stride: [4, 3], "
        "prefix_tokens: 2}",
        "head={type: classifier, classes: 3, pool: {type: first, tokens: 2}}",
    ),
    "table_of_overlapping": ("positions=relative_table", "input.stride=2"),
    "registers_alone": ("input={registers: 2, normalize: before_positions}", "head=none"),
    "left_over": ("input={image_size: 14, argument: image}", "dropout=0.1"),
    "sinusoidal": ("positions=sinusoidal", "input.prefix_tokens=1", "head.pool=last"),
    "rotary": ("positions=[learned, rotary]", "head.pool=max"),
    "rotary_on_a_grid": (
        "positions={type: rotary, axes: 2, theta: 100}",
        "input={prefix_tokens: 1, registers: 2, image_size: [12, 8]}",
        "attention.heads=2",
    ),
    "rotary_centred": (
        "positions={type: rotary, axes: 2, coordinates: centred, layout: interleaved, "
        "fraction: 0.5}",
        "attention.heads=2",
    ),
    "alibi": ("positions=alibi", "head.pool=attention"),
    "relative": ("positions={type: relative_bias, buckets: 8}", "head.pool=none"),
    "table": ("positions=relative_table",),
    "table_behind": ("positions={type: relative_table, share: stack}", "input.prefix_tokens=2"),
    "disentangled": ("positions={type: disentangled, buckets: 4, max_distance: 8}",),
    "sinks": ("attention={heads: 4, sinks: true}",),
    "softcap": ("attention={heads: 4, softcap: 5}",),
    "band": ("mask=band(2)", "head={type: projection, size: 4, pool: mean}"),
    "causal": ("mask=causal", "attention={heads: 4, softcap: 5}"),
    "causal_window": ('mask="causal & window(3)"', "positions=alibi"),
}

POSITIONS_OF_IMAGES = {
    "plain": "relative_table",
    "early_convolutions": "{type: sinusoidal, axes: 2}",
    "separable_gated": "learned",
    "unpadded": "{type: rotary, axes: 2}",
}

IMAGE_STEMS = {
    "plain": "image_size: 9, layers: [{channels: 16, kernel: 3, stride: 2}]",
    "early_convolutions": "image_size: [20, 13], argument: pixel_values, activation: relu, "
    "project: true, layers: [{channels: 6, kernel: 3, stride: 2, normalize: frames}, "
    "{channels: 8, kernel: 5, stride: 2, dilation: 2}]",
    "separable_gated": "image_size: [10, 7], bias: false, scale: sqrt_d_model, layers: "
    "[{channels: 5, kernel: 3, separable: true, gated: true, stride: 3, normalize: channels}, "
    "{channels: 16, kernel: 1}]",
    "unpadded": "image_size: 17, padded: false, project: normalized, layers: "
    "[{channels: 4, kernel: 4, stride: 2, dilation: 2}, {channels: 6, kernel: 3}]",
}

ROWS: dict[str, Variation] = {
    **{
        f"image_stem_{k}": images(
            f"input={{type: conv, axes: 2, channels: 3, {v}}}",
            f"positions={POSITIONS_OF_IMAGES[k]}",
        )
        for k, v in IMAGE_STEMS.items()
    },
    "image_stem_read": both(
        "encoder.input={type: conv, axes: 2, image_size: [8, 5], channels: 2, layers: "
        "[{channels: 16, kernel: 3, stride: 2}]}",
        "encoder.positions=learned",
    ),
    **{f"input_{k}": encoder(f"input={v}", "positions=learned") for k, v in INPUTS.items()},
    **{f"patches_{k}": images(*v) for k, v in PATCHES.items()},
    "captions": both(
        "encoder.input={type: patches, image_size: 12, patch_size: 4, prefix_tokens: 1}",
        "encoder.positions=learned",
        "decoder.positions=learned",
    ),
    **{f"stem_{k}": both(f"encoder.input={{type: conv, {v}}}") for k, v in STEMS.items()},
    "features": encoder("input={type: features, size: 6}", "positions=learned", "head=none"),
    "features_of_places": encoder(
        "input={type: features, size: 16, project: true, add: {row_ids: 9, column_ids: 7}}",
        "positions=none",
        "head=none",
    ),
    "stream_in_float32": decoder("norm=rmsnorm", "bias=false", "residual={float32: true}"),
    "features_alone": encoder("input=features", "head=none"),
    "features_as_wide": encoder(
        "input={type: features, normalize: true, dropout: 0.1}",
        "positions={type: sinusoidal, skip_padding: mask, offset: 1}",
        "head={type: classifier, classes: 3, pool: mean}",
    ),
    "features_read": both("encoder.input={type: features, size: 6, bias: false}"),
    "features_causal": decoder("input={type: features, argument: vectors, size: 6}"),
    "stem_sinusoidal": both(
        "encoder.input={type: conv, channels: 3, layers: [{channels: 16, kernel: 3, stride: 2}]}",
        "encoder.positions=sinusoidal",
    ),
    "stem_learned": encoder(
        "input={type: conv, channels: 3, normalize: true, dropout: 0.1, bias: false, "
        "layers: [{channels: 8, kernel: 5}, {channels: 16, kernel: 3, stride: 2}]}",
        "positions=learned",
        "head={type: classifier, classes: 3, pool: mean}",
    ),
    "stem_positions": encoder(
        "input={type: conv, channels: 1, layout: waveform, padded: false, project: true, "
        "layers: [{channels: 8, kernel: 3, stride: 2}], normalize: true}",
        "positions={type: convolution, kernel: 4, groups: 2}",
        "head={type: classifier, classes: 3, pool: mean}",
    ),
    "stem_positions_odd": encoder(
        "input={type: conv, channels: 2, layers: [{channels: 16, kernel: 3}]}",
        "positions=[{type: convolution, kernel: 5, groups: 16, activation: relu}, rotary]",
        "head=none",
    ),
    "learned_tokens": encoder(
        "input={prefix_tokens: 2, width: 8, add: {token_type_ids: 3}, normalize: true}",
        "positions={type: learned, skip_padding: mask, offset: 1}",
        "head={type: classifier, classes: 3, pool: {type: first, tokens: 2}}",
    ),
    "learned_tokens_of_a_decoder": decoder("input.prefix_tokens=3", "positions=[learned, alibi]"),
    "learned_tokens_read": both(
        "encoder.input={type: features, size: 6, prefix_tokens: 2}", "decoder.input.prefix_tokens=1"
    ),
    "learned_tokens_of_a_signal": encoder(
        "input={type: conv, prefix_tokens: 2, channels: 3, scale: 2, "
        "layers: [{channels: 16, kernel: 3, stride: 2}]}",
        "positions=[sinusoidal, rotary]",
        "head={type: classifier, classes: 3, pool: first}",
    ),
    "learned_tokens_of_an_image": images(
        "input={type: conv, axes: 2, image_size: [8, 6], prefix_tokens: 1, channels: 3, "
        "layers: [{channels: 16, kernel: 3, stride: 2}]}",
        "positions=[learned, {type: rotary, axes: 2}]",
        "head={type: classifier, classes: 3, pool: first}",
    ),
    "joined": encoder(
        "input=[{type: patches, image_size: 12, patch_size: 4, prefix_tokens: 1, optional: true}, "
        "{type: tokens, width: 8, dropout: 0.1, optional: true}]",
        "positions=learned",
        "head={type: classifier, classes: 3, pool: mean}",
    ),
    "joined_with_language": decoder(
        "input=[tokens, {type: features, argument: sound, size: 5, normalize: before_positions}]",
        "positions=[{type: learned, skip_padding: mask, offset: 1}, rotary]",
    ),
    "input_tied": both("decoder.input.tied=encoder", "head={type: language_model, tied: true}"),
    "output_width": decoder("output_width=8"),
    "output_width_of_table": decoder(
        "input={width: 8, project: before_positions}",
        "output_width=8",
        "head={type: language_model, tied: true}",
        "positions=learned",
    ),
}

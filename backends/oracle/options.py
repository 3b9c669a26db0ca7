"""Every option that the oracle knows: a new one is an error until it is computed here."""

from __future__ import annotations

from typing import Any

from ...spec.model import ModelSpec
from ...spec.part import Part
from .errors import unknown

BRANCH = "norm norm_placement"
SOURCE = "prefix_tokens normalize norm optional argument"
HIDDEN = "hidden activation bias inner_norm"
GLU = f"{HIDDEN} clamp linear_offset"
QK_NORM = "norm before_clip after_positions"
MHA = (
    f"{BRANCH} heads kv_heads head_dim value_dim bias scale score qk_norm softcap sinks clip_qkv "
    "output_gate gate output_norm score_bias separate_global"
)
MLA = f"{BRANCH} heads query_rank kv_rank nope_dim rope_dim value_dim latent_eps bias scale"
LINEAR = (
    f"{BRANCH} heads head_dim feature_map map_values normalize decay output_norm output_gate bias"
)
JOINING = "scale stream_scale layer_scale from_"

NO_EFFECT = frozenset(
    (
        *("type", "name", "description", "family", "modelwright", "init", "bos", "eos"),
        *("decoder_start", "dropout", "hidden_dropout", "drop_path", "temperature"),
    )
)
"""Options of fresh weights, of training, of generation and of names: they change no output."""

KNOWN: dict[str, str] = {
    "ModelSpec": "stacks heads tokens",
    "SpecialTokens": "pad",
    "Stack": "layers d_model vocab_size max_positions input streams positions norm activation bias "
    "final_norm output_width blocks order",
    "Block": "attention cross_attention feed_forward sublayers mask positions norm norm_placement "
    "residual condition activation bias share",
    "Tokens": f"{SOURCE} vocab_size width project scale add tied",
    "Patches": f"{SOURCE} layout image_size patch_size stride channels bias registers",
    "ConvStem": f"{SOURCE} layout channels axes layers padded activation bias project scale",
    "ConvLayer": "channels kernel stride dilation separable normalize gated",
    "Features": f"{SOURCE} size bias",
    "LayerNorm": "eps affine bias weight_offset",
    "RmsNorm": "eps affine weight_offset",
    "Swish": "beta",
    "Learned": "offset skip_padding",
    "Sinusoidal": "axes layout denominator offset skip_padding",
    "Convolution": "kernel groups activation",
    "Rotary": "theta fraction layout axes coordinates scaling",
    "Temperature": "length slope offset",
    "Alibi": "slopes before_scale",
    "RelativeBias": "buckets max_distance bidirectional share",
    "RelativeTable": "axes share",
    "Disentangled": "terms buckets max_distance share_projections normalize",
    "LinearScaling": "factor",
    "DynamicScaling": "factor original_max_positions",
    "Llama3": "factor low_freq_factor high_freq_factor original_max_positions",
    "Yarn": "factor original_max_positions beta_fast beta_slow mscale mscale_all_dims truncate",
    "LongRope": "short_factor long_factor original_max_positions short_mscale long_mscale",
    "Mha": MHA,
    "CrossMha": f"{MHA} memory",
    "HeadQkNorm": QK_NORM,
    "PerHeadQkNorm": QK_NORM,
    "ProjectionQkNorm": "norm before_clip",
    "Mla": MLA,
    "CrossMla": f"{MLA} memory",
    "LinearAttention": LINEAR,
    "CrossLinearAttention": f"{LINEAR} memory",
    "Fastformer": f"{BRANCH} heads bias",
    "Mlp": HIDDEN,
    "MlpBranch": f"{HIDDEN} {BRANCH}",
    "Glu": GLU,
    "GluBranch": f"{GLU} {BRANCH}",
    "MoeBranch": f"{BRANCH} experts top_k expert shared_expert weigh shared_gate router capacity "
    "capacity_factor",
    "Router": "score normalize bias selection_bias choose_by groups scale jitter",
    "Groups": "count top_k score",
    "Sequential": JOINING,
    "Parallel": f"{JOINING} shared_norm",
    "LanguageModel": "stack vocab_size tied bias transform input_scale scale softcap",
    "DenseTransform": "width inner activation norm bias",
    "Classifier": "stack classes pool pooled_norm norm hidden activation bias",
    "ProjectionHead": "stack size pool activation bias normalize",
    "Contrastive": "size towers loss",
    "Tower": "pool",
    "FirstPool": "tokens joined",
    "MeanPool": "skip",
    "FirstAndMeanPool": "skip",
    "TokenPool": "id",
}
"""Class of a part -> its options. A part that has none need not stand here."""


def check_options(value: Any) -> None:
    """Raise OracleError for an option of any part of a spec that stands in no table here.

    Initial values of weights (`init`) are not looked at.
    """
    if isinstance(value, Part):
        name = type(value).__name__
        known = {*KNOWN.get(name, "").split(), *NO_EFFECT}
        for option in type(value).model_fields:
            if option not in known:
                raise unknown(f"the option `{option.rstrip('_')}` of {name}")
            if not (isinstance(value, ModelSpec) and option == "init"):
                check_options(getattr(value, option))
    elif isinstance(value, dict):
        for inner in value.values():
            check_options(inner)
    elif isinstance(value, tuple):
        for inner in value:
            check_options(inner)

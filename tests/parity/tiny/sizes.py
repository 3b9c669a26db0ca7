"""How large things are in a tiny model: what the fields of a config are called, and their values.

The names are those of `transformers`, whose classes call one thing by a dozen names. A field that
is in no table keeps the default of its class, so that a tiny model computes what the type does.
"""

from __future__ import annotations

WIDTH, HEADS, KV_HEADS, HEAD_DIM, FEED_FORWARD = 64, 4, 2, 16, 96
DECOUPLED_HEAD_DIM = 24
"""Of the types whose heads together are not as wide as the model."""

VOCAB = 99
ORDINARY = range(4, 90)
"""Tokens that mean nothing special to any model: what the tests draw from."""

SPECIAL = range(90, 99)
"""Placeholders of images and sounds, which no text of the tests holds."""

LAYERS, PATTERN = 2, 4
"""How many layers where all are alike, and where the kinds of layer follow a pattern."""

POSITIONS, WINDOW = 64, 6
"""Longer and shorter than the texts of the tests."""


def _named(words: str, size: int) -> dict[str, int]:
    return dict.fromkeys(words.split(), size)


LAYER_COUNTS = (
    *("num_hidden_layers", "n_layer", "num_layers", "n_layers", "encoder_layers", "decoder_layers"),
    *("num_decoder_layers", "num_encoder_layers", "speech_encoder_layers", "t2u_encoder_layers"),
    *("t2u_decoder_layers", "depth"),
)
HEAD_COUNTS = (
    *("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads"),
    *("decoder_attention_heads", "attention_heads", "num_encoder_attention_heads"),
    *("num_decoder_attention_heads", "speech_encoder_attention_heads"),
    *("t2u_encoder_attention_heads", "t2u_decoder_attention_heads", "num_self_attention_heads"),
    *("num_cross_attention_heads", "swa_num_attention_heads"),
)
KV_COUNTS = ("num_key_value_heads", "num_kv_heads", "swa_num_key_value_heads")

SIZES: dict[str, int] = {
    **dict.fromkeys(LAYER_COUNTS, LAYERS),
    **dict.fromkeys(HEAD_COUNTS, HEADS),
    # Widths.
    **_named("hidden_size d_model n_embd dim emb_dim decoder_hidden_size", WIDTH),
    **_named("d_latents lru_width", WIDTH),
    **_named("intermediate_size ffn_dim d_ff n_inner hidden_dim dim_ff dff d_inner", FEED_FORWARD),
    **_named("encoder_ffn_dim decoder_ffn_dim ffn_hidden_size feed_forward_size", FEED_FORWARD),
    **_named("speech_encoder_intermediate_size t2u_encoder_ffn_dim", FEED_FORWARD),
    **_named("t2u_decoder_ffn_dim intermediate_size_mlp dense_intermediate_size", FEED_FORWARD),
    **_named("embedding_size input_embedding_size output_embedding_size embedding_dim", 48),
    **_named("word_embed_proj_dim", 48),
    # Heads.
    **_named("head_dim d_kv d_head dim_head attention_head_size kv_channels", HEAD_DIM),
    **_named("attention_head_dim swa_head_dim v_head_dim index_head_dim", HEAD_DIM),
    **_named("rotary_dim qk_rope_head_dim d_rel", 8),
    **_named("qk_nope_head_dim", 12),
    **_named("qk_head_dim kv_lora_rank", 20),
    **_named("q_lora_rank query_pre_attn_scalar", 24),
    **_named("index_n_heads", 2),
    # Vocabularies and positions.
    **_named("vocab_size src_vocab_size tgt_vocab_size decoder_vocab_size", VOCAB),
    **_named("vocab_size_per_layer_input", VOCAB),
    **_named("max_position_embeddings n_positions n_ctx max_seq_len context_length", POSITIONS),
    **_named("max_source_positions max_target_positions", POSITIONS),
    **_named("max_encoder_position_embeddings max_decoder_position_embeddings", POSITIONS),
    **_named("max_2d_position_embeddings", POSITIONS),
    **_named("type_vocab_size", 2),
    # Who sees whom.
    **_named("sliding_window sliding_window_size attention_window_size window_size", WINDOW),
    **_named("keep_window_size", WINDOW),
    **_named("local_attention attention_chunk_size local_attention_window_len", 8),
    **_named("index_topk block_size num_landmarks", 4),
    **_named("rel_extent", 16),
    # Experts.
    **_named("num_experts num_local_experts n_routed_experts moe_num_experts", 4),
    **_named("num_experts_per_tok moe_topk moe_k num_selected_experts top_k_experts", 2),
    **_named("moe_intermediate_size expert_ffn_hidden_size moe_latent_size", 32),
    **_named("router_hidden_size", 32),
    **_named("shared_expert_intermediate_size shared_intermediate_size", 48),
    **_named("moe_shared_expert_intermediate_size shared_experts_intermediate_size", 48),
    **_named("prefix_dense_intermediate_size", 80),
    **_named("expert_capacity", POSITIONS),
    **_named("n_group zero_expert_num", 2),
    **_named("topk_group first_k_dense_replace num_dense_layers max_window_layers", 1),
    **_named("num_nextn_predict_layers n_mtp_layers num_mtp_layers", 0),
    # State spaces, recurrences, linear attention.
    **_named("mamba_d_state mamba_d_head mamba_head_dim state_size ssm_state_size", 16),
    **_named("mamba_n_heads mamba_num_heads mamba_chunk_size chunk_size", 8),
    **_named("mamba_n_groups", 1),
    **_named("mamba_dt_rank time_step_rank linear_num_value_heads linear_num_heads", 4),
    **_named("linear_num_key_heads", 2),
    **_named("linear_key_head_dim linear_value_head_dim linear_head_dim", 16),
    **_named("mamba_d_ssm", 128),
    **_named("conv_L_cache", 3),
    # What few types have.
    **_named("hidden_size_per_layer_input segment_means_seq_len", 16),
    **_named("laurel_rank num_latents adapter_rank", 8),
    **_named("altup_num_inputs num_self_attends_per_block", 2),
    **_named("entity_vocab_size", 20),
    **_named("entity_emb_size", 32),
    # Images and sounds.
    **_named("image_size", 32),
    **_named("patch_size", 8),
    **_named("num_channels", 3),
    **_named("num_mel_bins", 16),
}

TOKENS: dict[str, int] = {
    **_named("pad_token_id pad_index", 0),
    **_named("bos_token_id decoder_start_token_id cls_token_id forced_bos_token_id bos_index", 1),
    **_named("eos_token_id sep_token_id forced_eos_token_id eod_token_id eos_index", 2),
    **_named("mask_token_id", 3),
}

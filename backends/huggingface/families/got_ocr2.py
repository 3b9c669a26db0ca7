"""GOT-OCR 2 (Wei et al., 2024, arXiv:2409.01704), text only."""

from __future__ import annotations

from ._multimodal import text_of
from .qwen2 import QWEN2

GOT_OCR2 = text_of(
    QWEN2,
    "got_ocr2",
    "GotOcr2",
    {
        "vocab_size": 151860,
        "hidden_size": 1024,
        "intermediate_size": 2816,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "max_window_layers": 21,
        "rope_theta": 1_000_000.0,
        "tie_word_embeddings": True,
    },
    others="vision_tower|multi_modal_projector",
    read="images",
)

FAMILIES = (GOT_OCR2,)

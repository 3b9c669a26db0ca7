"""GOT-OCR 2 (Wei et al., 2024, arXiv:2409.01704), text only."""

from __future__ import annotations

from ._multimodal import text_of
from .qwen2 import QWEN2

GOT_OCR2 = text_of(
    QWEN2,
    "got_ocr2",
    "GotOcr2",
    others="vision_tower|multi_modal_projector",
    read="images",
)

FAMILIES = (GOT_OCR2,)

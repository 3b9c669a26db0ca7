"""The configuration of an exported model."""

from __future__ import annotations

from typing import Any, ClassVar

from transformers import PreTrainedConfig

MODEL_TYPE = ""
SIZES: dict[str, Any] = {}
TENSOR_PLAN: dict[str, str] = {}
ITS_VALUE = 0


class NameConfig(PreTrainedConfig):
    """Sizes of the model; those that the library reads have the library's names.

    `sizes` are the others, by their names in the `Config` of the emitted file; `spec` is the YAML
    from which the model was compiled.
    """

    model_type = MODEL_TYPE
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values", "cache"]
    base_model_tp_plan: ClassVar[dict[str, str]] = TENSOR_PLAN

    its_size: int = ITS_VALUE
    sizes: dict[str, Any] | None = None
    spec: str | None = None

    def emitted(self) -> dict[str, Any]:
        """The fields of the emitted file's `Config`."""
        return {
            **SIZES,
            **(self.sizes or {}),
            "emitted_size": self.its_size,
        }

"""What every exported model has, whatever its head."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import Cache, PreTrainedModel
from transformers.utils import ModelOutput

from .configuration import NameConfig
from .emitted import Config, Emitted

INPUT_TABLE = OUTPUT_TABLE = ""
BLOCKS: list[str] = []


class NamePreTrainedModel(PreTrainedModel):
    """A Hugging Face model that holds the emitted one as `model`."""

    config_class = NameConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules: ClassVar[list[str]] = BLOCKS
    gradient_checkpointing = False

    def __init__(self, config: NameConfig) -> None:
        super().__init__(config)
        self.model = Emitted(Config(**config.emitted()))
        self.post_init()

    def init_weights(self) -> None:
        """Nothing: the emitted model has drawn its weights, and its ties are no copies."""

    def get_input_embeddings(self) -> nn.Module:
        return self.model.get_submodule(INPUT_TABLE)

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.set_submodule(INPUT_TABLE, value)

    def get_output_embeddings(self) -> nn.Module | None:
        return self.model.get_submodule(OUTPUT_TABLE)

    def set_output_embeddings(self, value: nn.Module) -> None:
        self.model.set_submodule(OUTPUT_TABLE, value)

    def resize_token_embeddings(self, *sizes: Any, **options: Any) -> nn.Embedding:
        raise NotImplementedError(
            f"{type(self).__name__} has weights of the vocabulary's size "
            "beside its table and its head: change vocab_size in the spec"
        )

    def _set_gradient_checkpointing(
        self,
        enable: bool = True,
        gradient_checkpointing_func: Callable[..., Any] = checkpoint,
        every_n_layers: int = 1,
    ) -> None:
        """In training, compute every so many blocks again instead of keeping their inside."""
        blocks = [module for module in self.modules() if type(module).__name__ in BLOCKS]
        for number, block in enumerate(blocks):
            vars(block).pop("forward", None)
            if enable and number % every_n_layers == 0:
                vars(block)["forward"] = partial(gradient_checkpointing_func, block.forward)
        self.gradient_checkpointing = enable

    @property
    def recomputes(self) -> bool:
        """Is each block computed twice? Then none may fill a cache."""
        return self.training and self.gradient_checkpointing

    def cached_result(self, kind: type[ModelOutput], cache: Cache | None, **fields: Any) -> Any:
        """An output of the library with its cache: `past_key_values`, from 5.24 on `cache`."""
        name = "cache" if "cache" in kind.__dataclass_fields__ else "past_key_values"
        return kind(**fields, **{name: cache})

    def refuse(self, **asked: Any) -> None:
        """Raises ValueError for an argument of Hugging Face models that this one does not have."""
        for name, value in asked.items():
            if value is not None and value is not False:
                raise ValueError(
                    f"{type(self).__name__} does not support `{name}`: "
                    "the compiled model neither reads nor returns it"
                )

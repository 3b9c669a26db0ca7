"""The base class of exported models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from inspect import signature
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import Cache, PreTrainedModel
from transformers.utils import ModelOutput

from .configuration import NameConfig
from .emitted import Config, Emitted
from .observed import Observed

INPUT_TABLE = OUTPUT_TABLE = NO_VECTORS = ""
BLOCKS: list[str] = []
GROWING: tuple[str, ...] = ()
UNREAD: list[str] = []


class NamePreTrainedModel(PreTrainedModel):
    """A Hugging Face model that contains the emitted one as `model`."""

    config_class = NameConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules: ClassVar[list[str]] = BLOCKS
    accepts_loss_kwargs = False  # `forward` computes mean losses; `Trainer` scales them
    gradient_checkpointing = False

    def __init__(self, config: NameConfig) -> None:
        super().__init__(config)
        self.model = Emitted(Config(**config.emitted()))
        self.model._tp_plan = config.base_model_tp_plan  # read by `post_init`
        self.post_init()

    def init_weights(self) -> None:
        """Do nothing: the emitted model initialises its weights, and tied weights are one
        Parameter.
        """

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
            f"{type(self).__name__} has more weights of the vocabulary's size than "
            "its embedding and its head; change vocab_size in the spec instead"
        )

    def _set_gradient_checkpointing(
        self,
        enable: bool = True,
        gradient_checkpointing_func: Callable[..., Any] = checkpoint,
        every_n_layers: int = 1,
    ) -> None:
        """Recompute the activations of every n-th block in the backward pass."""
        blocks = [module for module in self.modules() if type(module).__name__ in BLOCKS]
        for number, block in enumerate(blocks):
            vars(block).pop("forward", None)
            if enable and number % every_n_layers == 0:
                vars(block)["forward"] = partial(gradient_checkpointing_func, block.forward)
        self.gradient_checkpointing = enable

    @property
    def recomputes(self) -> bool:
        """Whether blocks are recomputed in the backward pass; then they must not fill a cache."""
        return self.training and self.gradient_checkpointing

    def cached_result(self, kind: type[ModelOutput], cache: Cache | None, **fields: Any) -> Any:
        """A library output with its cache: `past_key_values`, or `cache` since version 5.24."""
        name = "cache" if "cache" in kind.__dataclass_fields__ else "past_key_values"
        return kind(**fields, **{name: cache})

    @contextmanager
    def embedded(
        self, ids: Tensor | None, vectors: Tensor | None, embedding: str = INPUT_TABLE
    ) -> Iterator[Tensor]:
        """Ids (B, T), or ids whose embeddings are the given `vectors` (B, T, D)."""
        if ids is not None and vectors is None:
            yield ids
            return
        if ids is not None or vectors is None:
            raise ValueError("pass either token ids or their embeddings")
        table = vars(self.model.get_submodule(embedding))
        table["forward"] = lambda _: vectors
        try:
            yield vectors.new_zeros(vectors.shape[:2], dtype=torch.long)
        finally:
            del table["forward"]

    @contextmanager
    def embedded_ids(
        self,
        ids: Tensor | None,
        vectors: Tensor | None,
        reason: str = NO_VECTORS,
    ) -> Iterator[Tensor]:
        """The input; raises for `inputs_embeds`, which is not supported for this `reason`."""
        if vectors is not None:
            raise ValueError(f"inputs_embeds is not supported: {reason}")
        if ids is None:
            raise ValueError("the input is required")
        yield ids

    def observed(self, states: bool | None, weights: bool | None) -> Observed:
        """Collect hidden states and attention weights if the call or the config requests them."""
        states = self.config.output_hidden_states if states is None else states
        weights = self.config.output_attentions if weights is None else weights
        return Observed(self.model, states=bool(states), weights=bool(weights))

    def observed_states(self, states: bool | None, weights: bool | None) -> Observed:
        """Collect hidden states if the call or the config requests them."""
        if weights:
            raise ValueError("output_attentions is not supported: NO_WEIGHTS")
        states = self.config.output_hidden_states if states is None else states
        return Observed(self.model, states=bool(states), weights=False)

    def refuse_padding(self, given: dict[str, Any]) -> None:
        """Raise ValueError for padded prompts, which the mask would count as tokens."""
        cache = given.get("cache", given.get("past_key_values"))  # since and before version 5.24
        mask = given.get("attention_mask")
        if mask is not None and (cache is None or not cache.get_seq_length()) and not mask.all():
            raise ValueError("prompts must not be padded: the mask depends on positions")

    def grow(self, ids: Tensor, given: dict[str, Any], mask: Tensor | None) -> None:
        """Extend the document ids of a prompt to new tokens, which continue its last document."""
        length = ids.size(1) if mask is None else mask.size(1)
        for name in GROWING:
            x = given.get(name)
            if x is not None and x.size(1) < length:
                x = torch.cat([x, x[:, -1:].expand(-1, length - x.size(1))], dim=1)
            given[name] = None if x is None else x[:, :length]

    def refuse(self, **asked: Any) -> None:
        """Raise ValueError for an argument of Hugging Face models that is not supported here.

        `UNREAD` lists what tokenizers and `generate` pass to every model; it is ignored.
        """
        for name, value in asked.items():
            if name not in UNREAD and value is not None and value is not False:
                taken = ", ".join(list(signature(self.forward).parameters)[:-1])
                raise ValueError(
                    f"{type(self).__name__} does not support `{name}`: "
                    f"the compiled model neither reads nor returns it; forward takes {taken}"
                )

"""A weak pair's two models, tuned and reference, and how they are run.

An adapter is switched on and off on one set of weights: in one forward pass where it is plain LoRA, else in two. A
whole tuned model stands beside the reference: two forward passes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from peft.tuners.lora import Linear
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from safetensors import SafetensorError
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from scoring.agreement import check_agreement
from scoring.backbone import Backbone, load_backbone, loading, sharing
from scoring.embedded import adapter_dir
from scoring.errors import PairDisagrees, WeakModelMissing, first_line
from scoring.settings import WeakSettings

_LEAVE_THE_REFERENCE = (True, False, "gaussian", "orthogonal", "eva", "mica")
"""Ways to begin an adapter which, switched off, leaves the model that it was trained on; not so pissa, olora, loftq."""

Run = Callable[..., Any]
"""A forward pass, called as transformers' models are."""


class Models:
    """Tuned and reference. `both`, where there is one, runs a batch whose first half is for the tuned model and whose
    second half for the reference.

    `remembers`: reading can be gone on from. It needs keys and values of every token, of one shape in all layers and
    in both models; models that differ in it, or that forget (sliding windows), read everything anew.
    """

    def __init__(self, tuned: Run, reference: Run, both: Run | None, backbones: Sequence[Backbone]) -> None:
        self.tuned, self.reference, self.both = tuned, reference, both
        self.backbones = backbones
        """What they stand on; the reference's comes last."""
        first, second = _cache_shape(tuned, backbones[0]), _cache_shape(reference, backbones[-1])
        self.remembers = first is not None and first == second

    def decode(
        self, inputs: Sequence[torch.Tensor], past: Sequence[torch.Tensor] | None, wanted: int
    ) -> tuple[Sequence[torch.Tensor], torch.Tensor, torch.Tensor]:
        """Both models' logits of the last `wanted` positions, each (rows, wanted, its vocabulary); new keys and values.

        `inputs`: ids (rows, new), mask (rows, old + new) and positions (rows, new). `past` and what comes out: keys and
        values, (2, layers, rows, heads, tokens, dimension); none where the pair does not remember.
        """
        if self.both is not None:
            before = None if past is None else [t.transpose(0, 1).flatten(1, 2) for t in past]
            logits, *new = self._forward(self.both, [t.repeat(2, 1) for t in inputs], before, wanted)
            keys, values = (torch.stack(t.chunk(2, dim=1)) for t in new)
            return logits.chunk(2), keys, values
        if self.tuned is self.reference:
            logits, *new = self._forward(self.reference, inputs, None if past is None else [t[1] for t in past], wanted)
            keys, values = (t.expand(2, *t.shape) for t in new)
            return (logits, logits), keys, values
        tuned, reference = (
            self._forward(run, inputs, None if past is None else [t[i] for t in past], wanted)
            for i, run in enumerate((self.tuned, self.reference))
        )
        keys, values = (torch.stack(pair) for pair in zip(tuned[1:], reference[1:], strict=True))
        return (tuned[0], reference[0]), keys, values

    def _forward(
        self, run: Run, inputs: Sequence[torch.Tensor], past: Sequence[torch.Tensor] | None, wanted: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits (rows, wanted, vocabulary), and keys and values (layers, rows, heads, new, dimension)."""
        ids, mask, positions = inputs
        cache = DynamicCache() if self.remembers else None
        for layer, (keys, values) in enumerate(zip(*past, strict=True) if past else ()):
            assert cache is not None
            cache.update(keys, values, layer)
        out = run(
            input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache,
            use_cache=cache is not None, logits_to_keep=wanted,
        )  # fmt: skip
        if cache is None:
            nothing = out.logits.new_zeros(0, len(ids), 0, 0, 0)
            return out.logits, nothing, nothing
        layers, new = list[Any](cache.layers), slice(-ids.shape[1], None)
        return (
            out.logits,
            torch.stack([layer.keys[:, :, new] for layer in layers]),
            torch.stack([layer.values[:, :, new] for layer in layers]),
        )


def open_models(settings: WeakSettings) -> Models:
    """The pair that `settings` name. Raises WeakModelMissing and PairDisagrees."""
    if settings.adapter is not None:
        return _adapted(settings.adapter, settings)
    if settings.alone:
        backbone = load_backbone(settings)
        return Models(backbone.model, backbone.model, None, (backbone,))
    tuned, reference = load_backbone(settings, settings.tuned), load_backbone(settings)
    check_agreement(tuned, reference, settings)
    return Models(tuned.model, reference.model, None, (tuned, reference))


def _adapted(adapter: str, settings: WeakSettings) -> Models:
    folder, where = adapter_dir(adapter), f"weak pair {settings.reference!r} with adapter {adapter!r}"
    backbone = load_backbone(settings)
    try:
        start = getattr(PeftConfig.from_pretrained(str(folder)), "init_lora_weights", True)
        if start not in _LEAVE_THE_REFERENCE:
            raise PairDisagrees(
                f"the adapter begins by changing the reference's own weights (init_lora_weights: {start})",
                where=where,
                mend="Save it as plain LoRA (PEFT: path_initial_model_for_weight_conversion), or merged for weak.tuned",
            )
        with loading, warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # PEFT's use of transformers
            model: Any = PeftModel.from_pretrained(backbone.model, str(folder))
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise WeakModelMissing(
            f"cannot be loaded: {first_line(error)}",
            where=where,
            mend="Check weak.reference and weak.adapter: the adapter must have been trained on that model",
        ) from error
    model = model.to(backbone.device).eval()
    return Models(model, partial(_without_adapter, model), _on_half_the_rows(model), (backbone,))


def _on_half_the_rows(model: Any) -> Run | None:
    """Tuned for the first half of a batch's rows, the reference for the second; None where the adapter is more than
    plain LoRA.

    PEFT can mix adapters in a batch itself (`adapter_names`), to the same values, but hangs a hook on every layer at
    every pass and copies each layer's halves: a tenth of the time that a few short rows take.
    """
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, BaseTunerLayer)}
    plain = all(type(layer) is Linear and not layer.lora_variant for layer in layers.values())
    if not layers or not plain or any(isinstance(module, AuxiliaryTrainingWrapper) for module in model.modules()):
        return None
    mixed = sharing(model)
    for name in layers:
        mixed.set_submodule(name, _AdaptedHalf(mixed.get_submodule(name), model.active_adapter))
    return mixed.base_model.model  # type: ignore[no-any-return]


class _AdaptedHalf(torch.nn.Module):
    """A linear layer of whose rows LoRA changes the first half; computed as PEFT does."""

    def __init__(self, layer: Any, adapter: str) -> None:
        super().__init__()
        self.layer, self.scaling = layer.base_layer, layer.scaling[adapter]
        self.down, self.up = layer.lora_A[adapter], layer.lora_B[adapter]

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layer(states)
        half = len(states) // 2
        change = self.up(self.down(states[:half].to(self.down.weight.dtype))) * self.scaling
        out[:half] += change.to(out.dtype)
        return out


def _without_adapter(model: Any, **inputs: Any) -> Any:
    with model.disable_adapter():
        return model(**inputs)


@torch.inference_mode()
def _cache_shape(run: Run, backbone: Backbone) -> tuple[int, torch.Size, torch.Size] | None:
    """Layers, and the shape of keys and of values in each; None where it differs, or a layer does not keep them all."""
    layers: list[Any] = DynamicCache(config=backbone.model.config).layers
    if not layers or any(type(layer) is not DynamicLayer for layer in layers):
        return None
    cache, ids = DynamicCache(), torch.zeros(1, 2, dtype=torch.long, device=backbone.device)
    run(input_ids=ids, past_key_values=cache, use_cache=True)
    layers = list(cache.layers)
    shapes = {(len(layers), layer.keys.shape, layer.values.shape) for layer in layers}
    return shapes.pop() if len(shapes) == 1 else None

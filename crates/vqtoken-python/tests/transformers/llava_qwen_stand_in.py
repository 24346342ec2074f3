"""A model with the interface of LLaVA-NeXT's `LlavaQwenForCausalLM`, on the golden checkpoint in the original layout.

LLaVA-NeXT is on no registry. This has its methods and attributes, as its code calls them: `get_model().mm_projector`,
`encode_images`, `get_2dPool`, -200 in the prompt, `images` and `modalities` beside it, `image_newline` after each video.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import Qwen2Config, Qwen2ForCausalLM, SiglipVisionConfig, SiglipVisionModel


class Tower(nn.Module):
    """SigLIP's hidden states before its last norm, `[T, 3, S, S]` to `[T, N, Dv]`."""

    def __init__(self, config: SiglipVisionConfig) -> None:
        super().__init__()
        self.vision_tower = SiglipVisionModel(config)

    def forward(self, images: Tensor) -> Tensor:
        return self.vision_tower(images, output_hidden_states=True).hidden_states[-1]


class LlavaQwenStandIn(Qwen2ForCausalLM):
    """One `<image>` in the prompt for each picture or video."""

    def __init__(self, config: Qwen2Config) -> None:
        super().__init__(config)
        vision = SiglipVisionConfig(**config.vision_config, vision_use_head=False)
        width = config.hidden_size
        self.model.vision_tower = Tower(vision)
        self.model.mm_projector = nn.Sequential(
            nn.Linear(vision.hidden_size, width), nn.GELU(), nn.Linear(width, width)
        )
        self.model.image_newline = nn.Parameter(torch.zeros(width))

    def get_model(self) -> nn.Module:
        return self.model

    def get_vision_tower(self) -> nn.Module:
        return self.model.vision_tower

    def encode_images(self, images: Tensor) -> Tensor:
        return self.model.mm_projector(self.get_vision_tower()(images))

    def get_2dPool(self, image_feature: Tensor, stride: int = 2) -> Tensor:
        frames, patches, width = image_feature.shape
        side = round(patches**0.5)
        grid = image_feature.view(frames, side, side, width).permute(0, 3, 1, 2)
        pooled = nn.functional.interpolate(grid, size=(-(-side // stride),) * 2, mode="bilinear")
        return pooled.permute(0, 2, 3, 1).reshape(frames, -1, width)

    def prepare_inputs_labels_for_multimodal(
        self,
        input_ids: Tensor,
        position_ids: Tensor | None,
        attention_mask: Tensor | None,
        past_key_values: Any,
        labels: Tensor | None,
        images: list[Tensor] | None,
        modalities: list[str] = ["image"],  # noqa: B006
        image_sizes: Any = None,
    ) -> tuple[Any, ...]:
        if images is None or input_ids.shape[1] == 1:
            return input_ids, position_ids, attention_mask, past_key_values, None, labels
        encoded = torch.split(self.encode_images(torch.cat(images)), [len(image) for image in images])
        features = []
        for feature, modality in zip(encoded, modalities):
            if modality == "video":
                feature = torch.cat([self.get_2dPool(feature).flatten(0, 1), self.model.image_newline[None]])
            features.append(feature.flatten(0, 1) if feature.ndim == 3 else feature)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        targets = torch.full_like(input_ids, -100) if labels is None else labels
        rows, row_labels, index = [], [], 0
        for ids, seen, target in zip(input_ids, mask.bool(), targets):
            ids, target, parts, part_labels, start = ids[seen], target[seen], [], [], 0
            if not bool((ids == -200).any()):
                index += 1
            for stop in [*(ids == -200).nonzero().flatten().tolist(), len(ids)]:
                parts.append(self.model.embed_tokens(ids[start:stop]))
                part_labels.append(target[start:stop])
                if stop < len(ids):
                    parts.append(features[index])
                    part_labels.append(target.new_full((len(features[index]),), -100))
                    index += 1
                start = stop + 1
            rows.append(torch.cat(parts)[: self.config.tokenizer_model_max_length])
            row_labels.append(torch.cat(part_labels)[: self.config.tokenizer_model_max_length])
        longest = max(map(len, rows))
        embeddings = torch.zeros(len(rows), longest, rows[0].shape[1])
        new_labels = torch.full((len(rows), longest), -100)
        new_mask = torch.zeros(len(rows), longest, dtype=mask.dtype)
        pads_left = getattr(self.config, "tokenizer_padding_side", "right") == "left"
        for row, (values, target) in enumerate(zip(rows, row_labels)):
            place = slice(longest - len(values), None) if pads_left else slice(0, len(values))
            embeddings[row, place], new_labels[row, place], new_mask[row, place] = values, target, 1
        return (
            None,
            position_ids,
            None if attention_mask is None else new_mask,
            past_key_values,
            embeddings,
            None if labels is None else new_labels,
        )

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        images: list[Tensor] | None = None,
        modalities: list[str] = ["image"],  # noqa: B006
        **kwargs: Any,
    ) -> Any:
        if inputs_embeds is None:
            input_ids, position_ids, attention_mask, past_key_values, inputs_embeds, labels = (
                self.prepare_inputs_labels_for_multimodal(
                    input_ids, position_ids, attention_mask, past_key_values, labels, images, modalities
                )
            )
        # Version 5.2x calls the cache `cache`, and passes it by that name.
        kwargs = {**kwargs, **({} if past_key_values is None else {"past_key_values": past_key_values})}
        return super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
            labels=labels,
            **kwargs,
        )

    @torch.no_grad()
    def generate(
        self, inputs: Tensor, images: list[Tensor] | None = None, modalities: list[str] | None = None, **kwargs: Any
    ) -> Any:
        position_ids, mask = kwargs.pop("position_ids", None), kwargs.pop("attention_mask", None)
        if images is None:
            embeddings = self.model.embed_tokens(inputs)
        else:
            _, position_ids, mask, _, embeddings, _ = self.prepare_inputs_labels_for_multimodal(
                inputs, position_ids, mask, None, None, images, modalities
            )
        return super().generate(position_ids=position_ids, attention_mask=mask, inputs_embeds=embeddings, **kwargs)


def load(directory: Path) -> LlavaQwenStandIn:
    """The checkpoint in the original layout."""
    values = json.loads((directory / "config.json").read_text())
    config = Qwen2Config(**values, rope_parameters={"rope_type": "default", "rope_theta": values["rope_theta"]})
    config._name_or_path = str(directory)
    model = LlavaQwenStandIn(config)
    names = model.state_dict()
    weights = {}
    for name, weight in load_file(directory / "model.safetensors").items():
        if name.startswith("model.cross_attention."):
            continue
        # Version 5 has no `vision_model` in the names.
        weights[name if name in names else name.replace(".vision_model.", ".")] = weight
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert missing == ["lm_head.weight"] and not unexpected, (missing, unexpected)
    model.tie_weights()
    model.generation_config.eos_token_id = values["eos_token_id"]
    model.generation_config.pad_token_id = values["bos_token_id"]
    return model.eval()

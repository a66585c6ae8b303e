"""Toy weights of Cosmos Transfer: random numbers in the real classes at a small size, for tests and `bench cosmos`.

What they make is noise that follows its prompt, seed and controls. They are stated in the sizes of the real model's own
configuration where a size doesn't cost time: text projection, image context, controls that are added to every second block.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cosmos_workflow.engines.cosmos_transfer.models import BASE, CONTROL_FILES, DEPTH, SEG

CHUNK_FRAMES = 9
"""Frames that the toy makes at a time."""

_WIDTH, _HEADS, _TEXT = 32, 2, 32

_SCHEDULER: dict[str, Any] = {
    "use_karras_sigmas": True,
    "use_flow_sigmas": True,
    "prediction_type": "flow_prediction",
    "sigma_max": 200.0,
    "sigma_min": 0.01,
}
"""The published model's own."""

_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content[0].text }}<|im_end|>\n{% endfor %}"
)


def write_toy_weights(folder: Path, *, seed: int = 0, annotators: bool = True) -> Path:
    """Write random weights below `folder`, as COSMOS_WORKFLOW_WEIGHTS takes it: the model, its four controlnets and, with
    `annotators`, a Depth Anything and a SAM 2. Returns `folder`."""
    import torch

    from cosmos_workflow.engines.cosmos_transfer.loader import quiet_libraries

    quiet_libraries()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        _write_model(folder / BASE.folder_name)
        for weights in CONTROL_FILES.values():
            _controlnet().save_pretrained(folder / weights.folder_name)
        if annotators:
            _write_depth(folder / DEPTH.folder_name)
            _write_seg(folder / SEG.folder_name)
    return folder


def _write_model(folder: Path) -> None:
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
    from diffusers.models.transformers.transformer_cosmos import CosmosTransformer3DModel
    from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    transformer = CosmosTransformer3DModel(
        **_shared(), in_channels=17, out_channels=16, num_layers=4, controlnet_block_every_n=2, img_context_num_tokens=4
    )
    # The toy's other layers keep a picture flat: a larger last one lets prompt, seed and controls be seen.
    transformer.proj_out.weight.data.mul_(4)
    transformer.save_pretrained(folder / "transformer")
    AutoencoderKLWan(base_dim=4, dim_mult=[1, 1, 1, 1], num_res_blocks=1).save_pretrained(folder / "vae")
    UniPCMultistepScheduler(**_SCHEDULER).save_pretrained(folder / "scheduler")
    text = Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(
            text_config={
                "hidden_size": 16,
                "intermediate_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "num_key_value_heads": 2,
                "vocab_size": 320,
                "bos_token_id": 1,
                "eos_token_id": 2,
                "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1_000_000.0},
            },
            vision_config={"depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 16},
        )
    )
    text.save_pretrained(folder / "text_encoder")
    _write_tokenizer(folder / "tokenizer")
    (folder / "model_index.json").write_text('{"_class_name": "Cosmos2_5_TransferPipeline"}', encoding="utf-8")


def _shared() -> dict[str, Any]:
    """What transformer and controlnet have in common."""
    return {
        "num_attention_heads": _HEADS,
        "attention_head_dim": _WIDTH // _HEADS,
        "mlp_ratio": 2.0,
        "text_embed_dim": 16,
        "adaln_lora_dim": 4,
        "max_size": (CHUNK_FRAMES, 40, 40),
        "patch_size": (1, 2, 2),
        "rope_scale": (1.0, 3.0, 3.0),
        "extra_pos_embed_type": None,
        "use_crossattn_projection": True,
        "crossattn_proj_in_channels": _TEXT,
        "encoder_hidden_states_channels": 16,
        "img_context_dim_in": 8,
        "img_context_dim_out": _WIDTH,
    }


def _controlnet() -> Any:
    from diffusers.models.controlnets.controlnet_cosmos import CosmosControlNetModel

    return CosmosControlNetModel(**_shared(), n_controlnet_blocks=2, in_channels=130, latent_channels=18, model_channels=_WIDTH)


def _write_tokenizer(folder: Path) -> None:
    """Each byte a token, with Qwen's special ones."""
    from tokenizers import Tokenizer
    from tokenizers.decoders import ByteLevel as ByteDecoder
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import PreTrainedTokenizerFast

    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = {token: index for index, token in enumerate([*special, *sorted(ByteLevel.alphabet())])}
    tokenizer = Tokenizer(BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = ByteDecoder()  # pyright: ignore[reportAttributeAccessIssue]
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=special[0], eos_token=special[2], additional_special_tokens=special
    )
    wrapped.chat_template = _CHAT_TEMPLATE
    wrapped.save_pretrained(folder)


def _write_depth(folder: Path) -> None:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, DPTImageProcessor

    backbone = {
        "model_type": "dinov2",
        "hidden_size": 16,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "mlp_ratio": 2,
        "image_size": 56,
        "patch_size": 14,
        "out_features": ["stage1", "stage2", "stage3", "stage4"],
        "reshape_hidden_states": False,
    }
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=16,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        head_hidden_size=8,
    )
    DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    DPTImageProcessor(
        size={"height": 56, "width": 56}, ensure_multiple_of=14, keep_aspect_ratio=True, resample=3
    ).save_pretrained(folder)


def _write_seg(folder: Path) -> None:
    from transformers import (
        Sam2HieraDetConfig,
        Sam2ImageProcessor,
        Sam2VideoConfig,
        Sam2VideoModel,
        Sam2VideoProcessor,
        Sam2VideoVideoProcessor,
        Sam2VisionConfig,
    )

    # SAM 2 keeps its memory in 64 values, and takes a state of more than that apart.
    side, width = 64, 128
    backbone = Sam2HieraDetConfig(
        image_size=[side, side],
        hidden_size=8,
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 4, 4],
        global_attention_blocks=[3],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[side // 4, side // 4], [side // 8, side // 8], [side // 16, side // 16]],
        fpn_hidden_size=width,
    )
    config = Sam2VideoConfig(
        vision_config=vision.to_dict(),
        prompt_encoder_config={"hidden_size": width, "image_size": side},
        mask_decoder_config={
            "hidden_size": width,
            "mlp_dim": 32,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": width,
        },
        image_size=side,
        memory_attention_hidden_size=width,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[side // 16, side // 16],
        memory_encoder_hidden_size=width,
        mask_downsampler_embed_dim=width,
        memory_fuser_embed_dim=width,
        memory_fuser_intermediate_dim=32,
    )
    Sam2VideoModel(config).save_pretrained(folder)
    size = {"height": side, "width": side}
    Sam2VideoProcessor(
        image_processor=Sam2ImageProcessor(size=size, mask_size={"height": side // 4, "width": side // 4}),
        video_processor=Sam2VideoVideoProcessor(size=size),
    ).save_pretrained(folder)

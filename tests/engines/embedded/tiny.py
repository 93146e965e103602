"""Models of random weights, small enough to be made for a test: a llama whose tokens are bytes,
with any chat template and special tokens, and a projector that lets it see.

They say nothing that means anything; what holds their output can be told from it all the better.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np

EMBEDDING = 64
_HEADS = 4
_FEED = 128
_LAYERS = 2
_CONTEXT = 4096
_IMAGE, _PATCH = 28, 14

HERMES = """\
{%- if tools %}<|im_start|>system
{%- if messages[0].role == 'system' %}
{{ messages[0].content }}
{%- endif %}
# Tools
<tools>
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
</tools>
For a call write <tool_call>
{"name": <name>, "arguments": <arguments>}
</tool_call><|im_end|>
{% elif messages[0].role == 'system' %}<|im_start|>system
{{ messages[0].content }}<|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}<|im_start|>\
{{ message.role }}
{{ message.content }}<|im_end|>
{% elif message.role == 'assistant' %}<|im_start|>assistant
{{ message.content or '' }}
{%- for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}<|im_end|>
{% elif message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
"""A template that knows tools, in the form that many models are trained on."""

CHATML = """\
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
"""A template that knows none."""


def write_model(path: Path, template: str, *, specials: Mapping[str, str] | None = None) -> Path:
    """A language model. `specials` are further tokens by the key of their meaning, such as
    `fim_pre`."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_feed_forward_length(_FEED)
    writer.add_block_count(_LAYERS)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(EMBEDDING // _HEADS)
    tokens = _write_tokens(writer, specials or {})
    writer.add_chat_template(template)
    draw = _Draw(1)
    writer.add_tensor("token_embd.weight", draw(tokens, EMBEDDING))
    writer.add_tensor("output.weight", draw(tokens, EMBEDDING))
    writer.add_tensor("output_norm.weight", np.ones(EMBEDDING, np.float32))
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{block}.{name}.weight", draw(EMBEDDING, EMBEDDING))
        for name in ("ffn_gate", "ffn_up"):
            writer.add_tensor(f"{block}.{name}.weight", draw(_FEED, EMBEDDING))
        writer.add_tensor(f"{block}.ffn_down.weight", draw(EMBEDDING, _FEED))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{block}.{name}.weight", np.ones(EMBEDDING, np.float32))
    return _finish(writer, path)


def write_projector(path: Path) -> Path:
    """What turns an image into `(_IMAGE / _PATCH) ** 2` tokens of the model above."""
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_name("tiny eyes")
    writer.add_clip_has_vision_encoder(value=True)
    writer.add_clip_projector_type("mlp")
    writer.add_vision_image_size(_IMAGE)
    writer.add_vision_patch_size(_PATCH)
    writer.add_vision_embedding_length(EMBEDDING)
    writer.add_vision_feed_forward_length(_FEED)
    writer.add_vision_projection_dim(EMBEDDING)
    writer.add_vision_block_count(_LAYERS)
    writer.add_vision_head_count(_HEADS)
    writer.add_vision_attention_layernorm_eps(1e-5)
    writer.add_vision_image_mean([0.5, 0.5, 0.5])
    writer.add_vision_image_std([0.5, 0.5, 0.5])
    writer.add_vision_use_gelu(value=True)
    draw = _Draw(2)
    patches = (_IMAGE // _PATCH) ** 2
    writer.add_tensor("v.patch_embd.weight", draw(EMBEDDING, 3, _PATCH, _PATCH))
    writer.add_tensor("v.position_embd.weight", draw(patches, EMBEDDING))
    for layer in range(_LAYERS):
        _write_vision_block(writer, f"v.blk.{layer}", draw)
    for name in ("mm.0", "mm.2"):
        _write_linear(writer, name, EMBEDDING, EMBEDDING, draw)
    return _finish(writer, path)


def _write_vision_block(writer: gguf.GGUFWriter, block: str, draw: "_Draw") -> None:
    for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
        _write_linear(writer, f"{block}.{name}", EMBEDDING, EMBEDDING, draw)
    _write_linear(writer, f"{block}.ffn_up", _FEED, EMBEDDING, draw)
    _write_linear(writer, f"{block}.ffn_down", EMBEDDING, _FEED, draw)
    for name in ("ln1", "ln2"):
        writer.add_tensor(f"{block}.{name}.weight", np.ones(EMBEDDING, np.float32))
        writer.add_tensor(f"{block}.{name}.bias", np.zeros(EMBEDDING, np.float32))


def _write_linear(
    writer: gguf.GGUFWriter, name: str, rows: int, columns: int, draw: "_Draw"
) -> None:
    writer.add_tensor(f"{name}.weight", draw(rows, columns))
    writer.add_tensor(f"{name}.bias", np.zeros(rows, np.float32))


def _write_tokens(writer: gguf.GGUFWriter, specials: Mapping[str, str]) -> int:
    """A token per byte, one that is merged, and the special ones; how many there are."""
    named: Sequence[str] = ["<|im_start|>", "<|im_end|>", *specials.values()]
    plain = [*_bytes(), "th"]
    tokens = [*plain, *named]
    normal, control = gguf.TokenType.NORMAL, gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types([normal] * len(plain) + [control] * len(named))
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(tokens.index("<|im_start|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_add_bos_token(value=False)
    for meaning, token in specials.items():
        writer.add_uint32(f"tokenizer.ggml.{meaning}_token_id", tokens.index(token))
    return len(tokens)


def _bytes() -> list[str]:
    """The 256 bytes as GPT-2's vocabulary writes them."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = iter(range(256, 512))
    return [chr(byte if byte in shown else next(hidden)) for byte in range(256)]


class _Draw:
    """Random matrices that are the same every time."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> Any:
        return (self._random.standard_normal(shape) * 0.2).astype(np.float32)


def _finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path

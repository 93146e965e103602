"""The child process: llama.cpp's own HTTP server on one model.

`python -m inhouse.engines.embedded.child`. The first line of stdin says what to run
(`spec.Launch`); one line of JSON on stdout says `{"address": ...}` when the model can answer, or
`{"error": ...}`. It ends when stdin closes: whoever started it is gone or wants it gone. On Linux
the kernel ends it as well when its parent dies, which also holds while a model loads. It writes no
prompt anywhere.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
from typing import Any

from inhouse.engines.embedded.spec import ChildSpec, Launch

_SET_PARENT_DEATH_SIGNAL = 1
_ERRORS_ONLY = 1
_MEAN_POOLING = 1


def main() -> None:
    """Serve until stdin closes."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for ours in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ours, signal.SIG_IGN)  # sent to the whole group while the parent drains
    launch = Launch.decode(sys.stdin.buffer.readline())
    _die_with(launch.parent)
    try:
        server = serve(launch)
    except (RuntimeError, OSError, ImportError) as error:
        _say(report, {"error": str(error)})
        os._exit(1)
    _say(report, {"address": server.listening_address})
    while sys.stdin.buffer.read(65536):
        pass
    os._exit(0)


def serve(launch: Launch) -> Any:
    """Load the model and start the server's threads; the server answers as long as the returned
    object lives."""
    # native, heavy, and wanted in this process alone
    xllamacpp: Any = importlib.import_module("xllamacpp")
    params = xllamacpp.CommonParams()
    _listen(params, launch)
    _load(params, launch.spec)
    for adapter in launch.spec.lora:
        info = xllamacpp.CommonAdapterLoraInfo()
        info.path, info.scale = str(adapter.path), adapter.scale
        params.lora_adapters = [*params.lora_adapters, info]
    return xllamacpp.Server(params)


def _listen(params: Any, launch: Launch) -> None:
    params.hostnames = [launch.socket or "127.0.0.1"]
    params.port = 0
    params.api_keys = [launch.key]
    params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
    params.verbosity = _ERRORS_ONLY
    params.n_threads_http = 2 * launch.spec.parallel + 8  # a kept connection holds one


def _load(params: Any, spec: ChildSpec) -> None:
    params.model.path = str(spec.path)
    params.n_parallel = spec.parallel
    params.n_ctx = spec.context_length * spec.parallel
    params.cache_ram_mib = spec.cache_mib
    params.cpuparams.poll = 0
    params.prefill_assistant = False  # an assistant's message is a message, not a beginning
    if spec.threads:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = spec.threads
    if spec.mmproj:
        params.mmproj.path = str(spec.mmproj)
    if spec.lora:
        params.lora_init_without_apply = all(adapter.scale == 0 for adapter in spec.lora)
    if spec.embedding:
        params.embedding = True
        params.pooling_type = _MEAN_POOLING
        params.n_batch = params.n_ubatch = max(512, spec.context_length)


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent dies, and end now if that has happened
    already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _say(report: Any, line: dict[str, str]) -> None:
    report.write(json.dumps(line) + "\n")
    report.flush()


if __name__ == "__main__":
    main()

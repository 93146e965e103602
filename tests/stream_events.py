"""Which of the contract's stream events of responses a run of the tests has seen: told at its end.

Every process keeps what its servers sent. With xdist, a worker hands it to the controller when it
ends; what a crashed worker saw is not counted.
"""

from textwrap import fill
from typing import Any

import pytest
from tests import oracle

OPERATION = "POST /responses"
SEEN: set[str] = set()
_HANDED_OVER = "stream_events"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker: hand over what was seen."""
    handed: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if handed is not None:
        handed[_HANDED_OVER] = sorted(SEEN)


@pytest.hookimpl(optionalhook=True)  # it is a hook of xdist
def pytest_testnodedown(node: Any) -> None:
    """In the controller: take what a worker saw."""
    handed: dict[str, Any] = getattr(node, "workeroutput", {})
    SEEN.update(handed.get(_HANDED_OVER, ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was seen and what was not, if anything was."""
    if not SEEN:
        return
    known = oracle.event_types(OPERATION)
    terminalreporter.section("stream events of responses")
    for words, types in (("seen", SEEN & known), ("not seen", known - SEEN)):
        names = ", ".join(sorted(name.removeprefix("response.") for name in types))
        line = f"{words}: {len(types)} of {len(known)}: {names}"
        terminalreporter.write_line(fill(line, 100, subsequent_indent="  "))

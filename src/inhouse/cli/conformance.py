"""`inhouse conformance`: which operations of the API are implemented, tested, pending."""

import argparse
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from inhouse.cli import terminal
from inhouse.cli.parsing import Parser

State = Literal["tested", "implemented", "pending"]
TESTED = "tested.txt"
"""In the contract's folder: operations that a test in tests/sdk calls. A test keeps it true."""


@dataclass(frozen=True, slots=True)
class Line:
    """One operation. `tested` implies implemented; `name` is its place in the SDK."""

    operation: str
    name: str
    state: State
    deprecated: bool

    @property
    def family(self) -> str:
        """The SDK resource it belongs to: `chat`, `vector_stores`."""
        return self.name.partition(".")[0]


def add(parser: Parser) -> None:
    """Filters and forms."""
    parser.add_argument("--state", choices=("tested", "implemented", "pending"), help="only these")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print what README shows")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print every operation with its state, and the sums."""
    lines = [line for line in report() if arguments.state is None or line.state == arguments.state]
    if arguments.json:
        terminal.say_json(
            {"summary": summary(lines), "operations": [_wire(line) for line in lines]}
        )
    elif arguments.markdown:
        terminal.say(markdown(lines))
    else:
        headings = ("STATE", "OPERATION", "SDK")
        terminal.table(headings, [(line.state, line.operation, line.name) for line in lines])
        terminal.note(", ".join(f"{count} {state}" for state, count in summary(lines).items()))
    return 0


def report() -> list[Line]:
    """Every operation of the contract, in its order."""
    from inhouse.contract import Contract  # noqa: PLC0415 - --help needs neither
    from inhouse.services import operations  # noqa: PLC0415

    return lines(
        Contract.load().operations.values(), {made.name for made in operations()}, tested()
    )


def lines(specs: Iterable[Any], implemented: set[str], tested: set[str]) -> list[Line]:
    """A line for each of `specs`. An operation without handler is pending, whatever tests say."""

    def state(key: str) -> State:
        if key not in implemented:
            return "pending"
        return "tested" if key in tested else "implemented"

    return [Line(spec.key, spec.name, state(spec.key), spec.deprecated) for spec in specs]


def tested() -> set[str]:
    """The operations that tests call through the official client."""
    text = files("inhouse.contract").joinpath(TESTED).read_text("utf-8")
    return {line for line in text.splitlines() if line and not line.startswith("#")}


def summary(lines: Sequence[Line]) -> dict[str, int]:
    """How many operations there are, are implemented (tested or not), tested, pending."""
    counts = Counter(line.state for line in lines)
    return {
        "operations": len(lines),
        "implemented": counts["implemented"] + counts["tested"],
        "tested": counts["tested"],
        "pending": counts["pending"],
    }


def markdown(lines: Sequence[Line]) -> str:
    """The implemented operations as a table, and the pending ones as numbers."""
    counts = summary(lines)
    shown = [
        f"{counts['implemented']} of {counts['operations']} operations are implemented, "
        f"{counts['tested']} of them tested with the official client. "
        f"The other {counts['pending']} answer 501 in the error envelope.",
        "",
        "| operation | in the SDK | tested |",
        "| --- | --- | --- |",
    ]
    shown += [
        f"| `{line.operation}` | `{line.name}` | {'yes' if line.state == 'tested' else 'no'} |"
        for line in lines
        if line.state != "pending"
    ]
    pending = Counter(line.family for line in lines if line.state == "pending")
    named = ", ".join(f"{family} ({count})" for family, count in sorted(pending.items()))
    return "\n".join([*shown, "", f"Pending: {named}."])


def _wire(line: Line) -> dict[str, Any]:
    return {
        "operation": line.operation,
        "name": line.name,
        "state": line.state,
        "deprecated": line.deprecated,
    }

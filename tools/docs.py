"""`python -m tools.docs` writes the generated parts of README and docs.

In a document, `<!-- generated: NAME -->` and `<!-- /generated -->` enclose what the function NAME
here returns. `--check` writes nothing and fails if something is out of date.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from inhouse.cli import COMMANDS, conformance
from inhouse.contract import Contract
from inhouse.engines.catalogue import seed
from inhouse.services import operations
from inhouse.settings import Option, Settings, Upstream, options

ROOT = Path(__file__).resolve().parents[1]
TESTED = ROOT / "src" / "inhouse" / "contract" / conformance.TESTED
ACCEPTANCE = ROOT / "tests" / "sdk"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
_HEAD = "# Operations that tests/sdk calls with the official client. Written by `make docs`.\n"
_SAME_OPERATION = {"parse": "create", "stream": "create"}
"""Conveniences of the SDK, and the method whose operation they call."""
_WRAPPERS = {"with_raw_response", "with_streaming_response"}


def main() -> int:
    """Write or check every file."""
    reader = argparse.ArgumentParser(prog="python -m tools.docs", description=__doc__)
    reader.add_argument("--check", action="store_true")
    stale = [(path, text) for path, text in files() if _current(path) != text]
    if reader.parse_args().check:
        for path, _ in stale:
            print(f"{path.relative_to(ROOT)} is out of date: make docs", file=sys.stderr)
        return int(bool(stale))
    for path, text in stale:
        path.write_text(text)
        print(path.relative_to(ROOT))
    return 0


def files() -> Iterator[tuple[Path, str]]:
    """Every file with generated parts, and what should be in it."""
    yield TESTED, _HEAD + "".join(f"{key}\n" for key in sorted(tested(ACCEPTANCE)))
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        text = path.read_text("utf-8")
        if "<!-- generated:" in text:
            yield path, _BLOCK.sub(_fill, text)


def _fill(block: re.Match[str]) -> str:
    return f"{block[1]}\n{_MAKERS[block[2]]()}\n\n{block[3]}"


def _current(path: Path) -> str | None:
    return path.read_text("utf-8") if path.exists() else None


# What documents show


def settings() -> str:
    """The table of all settings."""
    rows = ["| setting | default | |", "| --- | --- | --- |"]
    return "\n".join(rows + [_setting(option) for option in options(Settings)])


def _setting(option: Option) -> str:
    ways = [f"`{way}`" for way in (option.env, option.flag) if way]
    if option.key:
        ways.append(f"`{option.key}` in TOML")
    return f"| {'<br>'.join(ways)} | {_default(option)} | {_sentence(option)} |"


def upstreams() -> str:
    """The table of the keys of `[[upstreams]]`."""
    rows = ["| key | default | |", "| --- | --- | --- |"]
    return "\n".join(
        rows
        + [
            f"| `{option.name}` | {_default(option)} | {_sentence(option)} |"
            for option in options(Upstream)
        ]
    )


def _default(option: Option) -> str:
    literal = re.fullmatch(r"[\w.:/~{}-]+", option.shown) and option.shown not in {
        "none",
        "required",
    }
    words = {"probed", "generated"}
    return f"`{option.shown}`" if literal and option.shown not in words else option.shown


def _sentence(option: Option) -> str:
    return f"{option.help} *{option.kind.name[0].upper()}{option.kind.name[1:]}.*"


def commands() -> str:
    """The help of every command."""
    shown = [f"- `inhouse {name}`: {text}" for name, text in COMMANDS.items()]
    return "\n".join(shown)


def works_today() -> str:
    """What `inhouse conformance --markdown` prints, with the record of tests as it is now."""
    contract = Contract.load()
    made = {operation.name for operation in operations()}
    lines = conformance.lines(contract.operations.values(), made, tested(ACCEPTANCE))
    return conformance.markdown(lines)


def catalogue() -> str:
    """The models that can be pulled by their name."""
    rows = ["| model | what | source | licence |", "| --- | --- | --- | --- |"]
    for entry in seed().entries.values():
        source = entry.source.partition("#")[0]
        rows.append(f"| `{entry.id}` | {entry.description} | `{source}` | {entry.licence} |")
    return "\n".join(rows)


def aliases() -> str:
    """The alias rules of a fresh data folder."""
    rows = ["| name | model |", "| --- | --- |"]
    return "\n".join(rows + [f"| `{name}` | `{to}` |" for name, to in seed().aliases.items()])


_MAKERS = {
    "aliases": aliases,
    "catalogue": catalogue,
    "settings": settings,
    "upstreams": upstreams,
    "commands": commands,
    "works_today": works_today,
}


# What tests call


def tested(folder: Path) -> set[str]:
    """The keys of the operations whose SDK method a test below `folder` calls on a client."""
    keys = {spec.name: key for key, spec in Contract.load().operations.items()}
    found: set[str] = set()
    for path in sorted(folder.rglob("test_*.py")):
        found |= {keys[name] for name in _called(path) if name in keys}
    return found


def _called(path: Path) -> Iterator[str]:
    """What test functions call: `models.list` for `client.models.list()`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if node.name.startswith("test_"):
            for call in ast.walk(node):
                if isinstance(call, ast.Call):
                    yield _method(call.func)


def _method(node: ast.expr) -> str:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not names:
        return ""
    names[0] = _SAME_OPERATION.get(names[0], names[0])
    return ".".join(name for name in reversed(names) if name not in _WRAPPERS)


if __name__ == "__main__":
    sys.exit(main())

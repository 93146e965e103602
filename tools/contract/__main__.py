"""`python -m tools.contract --document PATH [--output PATH]` writes the contract's two data files:
the requests, and beside them the answers.
"""

import argparse
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path

from tools.contract.answers import build_answers
from tools.contract.build import build, write

HERE = Path(__file__).resolve().parents[2] / "src" / "inhouse" / "contract"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.contract")
    parser.add_argument("--document", type=Path, required=True, help="the published openapi.json")
    parser.add_argument("--output", type=Path, default=HERE / "contract.json")
    options = parser.parse_args(arguments)
    published = json.loads(options.document.read_text())
    rules = tomllib.loads((HERE / "overlay.toml").read_text())
    contract, constraints = build(published, rules)
    options.output.write_text(write(contract))
    options.output.with_name("answers.json").write_text(write(build_answers()))
    for conflict in constraints.conflicts:
        print(f"the document contradicts itself: {conflict}")


if __name__ == "__main__":
    main()

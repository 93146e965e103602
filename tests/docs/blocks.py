"""The code blocks of the documentation, and how each is run.

A fence's info string is `<language>`, or `<language> no-run: <reason>` for a block that cannot run
here, or `<language> needs: <module>` for one that runs where that module is installed.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inhouse.settings import load

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
HOME = "http://127.0.0.1:8420"
"""Where the documents say that the server is."""
_FENCE = re.compile(r"^( *)(```+|~~~+)(.*)$")
_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `no_run` is why it does not run, `needs` a module that it needs."""

    path: Path
    line: int
    language: str
    no_run: str | None
    needs: str | None
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def blocks(path: Path) -> Iterator[Block]:
    """The fenced blocks of one document, in order."""
    lines = path.read_text("utf-8").splitlines()
    start, opening, body = 0, None, list[str]()
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        if opening is None:
            if fence:
                start, opening, body = number, fence, []
        elif fence and fence[2] == opening[2] and not fence[3].strip():
            yield _block(path, start, opening[3], body)
            opening = None
        else:
            body.append(line.removeprefix(opening[1]))
    assert opening is None, f"{path}:{start}: the block is not closed"


def _block(path: Path, line: int, info: str, body: list[str]) -> Block:
    language, _, rest = info.strip().partition(" ")
    no_run = rest.removeprefix("no-run:").strip() if rest.startswith("no-run:") else None
    needs = rest.removeprefix("needs:").strip() if rest.startswith("needs:") else None
    assert not rest or no_run or needs, f"{path}:{line}: not understood: {info}"
    return Block(path, line, language, no_run, needs, "\n".join(body) + "\n")


@dataclass(slots=True)
class Reader:
    """Somebody who reads one document from top to bottom and does what it says.

    `url` is where the server really is, `key` a key of it. Python blocks of a document share their
    names; files are written into `folder`.
    """

    url: str
    key: str
    data: Path
    folder: Path
    names: dict[str, Any]

    def do(self, block: Block) -> None:
        """Run the block. Raises whatever went wrong."""
        text = block.text.replace(HOME, self.url)
        match block.language:
            case "python":
                code = compile("\n" * block.line + text, str(block.path), "exec")
                exec(code, self.names)  # noqa: S102 - our own documentation
            case "bash":
                self._shell(text)
            case "toml":
                self._settings(text)
            case "json":
                json.loads(text)
            case "text":
                pass
            case other:
                raise AssertionError(f"{block}: nobody runs {other!r} here")

    def _shell(self, text: str) -> None:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            env=self.environ(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert not re.search(r'"error": ?\{', done.stdout), done.stdout

    def _settings(self, text: str) -> None:
        path = self.folder / "inhouse.toml"
        path.write_text(text)
        variables = re.findall(r'^api_key_env = "(\w+)"', text, re.MULTILINE)
        assert tomllib.loads(text)
        load({"INHOUSE_CONFIG": str(path)} | dict.fromkeys(variables, "sk-x"))

    def environ(self) -> dict[str, str]:
        """What the reader's shell has: the program, the key, the data folder."""
        return {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "OPENAI_API_KEY": self.key,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "INHOUSE_DATA": str(self.data),
            "INHOUSE_PORT": self.url.rpartition(":")[2],
        } | {name: os.environ[name] for name in ("INHOUSE_MODELS",) if name in os.environ}

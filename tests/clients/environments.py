"""An environment of its own for each client, made once and kept: their pins contradict each other.

They lie in `.clients/` of the checkout: a virtual environment, or a folder with `node_modules`.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.clients.clients import Client

ROOT = Path(__file__).resolve().parents[2] / ".clients"
_MINUTES = 20


def command(client: Client) -> list[str]:
    """The command that runs the client's program in its environment, which is made if need be.

    Raises `subprocess.CalledProcessError` when it cannot be made, with what the installer said.
    """
    folder = ROOT / client.name
    stamp = folder / "installed.json"
    wanted = json.dumps(client.packages)
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _install(client, folder)
        stamp.write_text(wanted, "utf-8")
    if client.path.suffix == ".mjs":  # Node looks for packages beside the program
        program = folder / client.program
        shutil.copyfile(client.path, program)
        return ["node", str(program)]
    python = sys.executable if client.node else str(folder / "venv" / "bin" / "python")
    return [python, str(client.path)]


def environ(client: Client, url: str, key: str) -> dict[str, str]:
    """What the program finds in its environment: where the server is and nothing of ours."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    tools = str(ROOT / client.name / "node_modules" / ".bin")
    own = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": key, "CLIENT_TOOLS": tools}
    return {name: os.environ[name] for name in kept if name in os.environ} | own | client.environ


def _install(client: Client, folder: Path) -> None:
    if client.node:
        (folder / "package.json").write_text('{"private": true, "type": "module"}', "utf-8")
        _run(["npm", "install", "--no-audit", "--no-fund", *client.packages], folder)
        return
    _run([sys.executable, "-m", "venv", "venv"], folder)
    pip = ["venv/bin/python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run([*pip, "install", *client.packages], folder)


def _run(arguments: list[str], folder: Path) -> None:
    subprocess.run(
        arguments,
        cwd=folder,
        check=True,
        timeout=_MINUTES * 60,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

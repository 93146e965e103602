"""tools/venv.sh on machines that lack something."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLD = '#!/bin/sh\ncase "$*" in *version_info*) exit 1;; *--version*) echo Python 3.9.2;; esac\n'
NO_VENV = f"""#!/bin/sh
case "$*" in
*ensurepip*) exit 1 ;;
*) exec {sys.executable} "$@" ;;
esac
"""
NO_PIP = f"""#!/bin/sh
case "$*" in
"-m venv"*) mkdir -p "$3/bin"; exit 1 ;;
*) exec {sys.executable} "$@" ;;
esac
"""


@pytest.fixture
def machine(tmp_path):
    """Runs the script where only `sh`, `rm` and the given `python3` exist."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "rm", "mkdir"):
        (programs / name).symlink_to(str(shutil.which(name)))

    def make(python: str) -> tuple[int, str, Path]:
        path = programs / "python3"
        path.write_text(python)
        path.chmod(0o755)
        done = subprocess.run(
            ["sh", str(ROOT / "tools" / "venv.sh"), str(tmp_path / "venv")],
            env={"PATH": str(programs)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr, tmp_path / "venv"

    return make


def test_an_old_python_is_named_with_what_to_do(machine):
    code, said, _ = machine(OLD)
    assert code == 1
    assert said.startswith("inhouse needs Python 3.11 or newer; python3 is Python 3.9.2.\n")
    assert "make PYTHON=" in said


def test_a_python_without_venv_is_named_with_the_package_to_install(machine):
    code, said, _ = machine(NO_VENV)
    assert code == 1
    assert f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in said


def test_nothing_half_made_is_left_behind(machine):
    code, _, folder = machine(NO_PIP)
    assert code == 1
    assert not folder.exists()

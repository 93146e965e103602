#!/bin/sh
# Makes the virtual environment in $1 with the first Python 3.11 or newer found by name, or $PYTHON.
# Leaves nothing half made behind.
set -eu
folder=$1

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

good() {
    command -v "$1" >/dev/null 2>&1 &&
        "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

python=
for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if good "$name"; then
        python=$name
        break
    fi
done
[ -n "$python" ] || fail \
    "inhouse needs Python 3.11 or newer; ${PYTHON:-python3} is $(${PYTHON:-python3} --version 2>&1 || echo missing)." \
    "Name another one: make PYTHON=/path/to/python3.12 ..."

if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    fail "$python cannot make virtual environments: its venv module is missing." \
        "On Debian and Ubuntu: apt install python$version-venv"
fi

trap 'rm -rf "$folder"' EXIT
rm -rf "$folder"
"$python" -m venv "$folder"
trap - EXIT

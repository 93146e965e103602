"""The lock by which one server process claims a data folder."""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from inhouse.stores.errors import DataInUse


class ServerLock:
    """`server.lock` in the data folder: locked (flock) while a server runs, and holds its pid.

    The lock ends with the process, however it ends; the file stays.
    """

    def __init__(self, data: Path) -> None:
        self.path = data / "server.lock"
        self._descriptor: int | None = None

    def take(self, patience: float = 0.0) -> Self:
        """Claim the folder. DataInUse, naming the other's pid, if a server runs on it.

        `patience` is how many seconds to try, as commands hold the lock for moments.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + patience
        while not _locked(descriptor):
            if time.monotonic() < deadline:
                time.sleep(0.02)
                continue
            pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise DataInUse(
                f"An inhouse server (pid {pid}) is already running on the data folder"
                f" {self.path.parent}. Stop it first, or give this one another folder"
                " (INHOUSE_DATA)."
            )
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def release(self) -> None:
        """Let go of the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

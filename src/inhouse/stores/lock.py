"""The lock by which one server process claims a data folder."""

import fcntl
import os
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

    def take(self) -> Self:
        """Claim the folder. DataInUse, naming the other's pid, if a server runs on it."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise DataInUse(
                f"An inhouse server (pid {pid}) is already running on the data folder "
                f"{self.path.parent}. Stop it first, or give this one another folder"
                " (INHOUSE_DATA)."
            ) from None
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def release(self) -> None:
        """Let go of the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

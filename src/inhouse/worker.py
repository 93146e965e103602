"""A process that only works: the services and their job loop, without HTTP.

It needs PostgreSQL, where servers and workers share the jobs; on SQLite the one server works.
"""

import asyncio
import signal
from collections.abc import Callable

from inhouse.services import Services
from inhouse.settings import Settings
from inhouse.telemetry import configure_logging


async def work(settings: Settings, on_ready: Callable[[Services], None]) -> None:
    """Open the services, work until SIGTERM or SIGINT, let what runs end, close.

    What runs longer than `settings.drain_seconds` goes to another process. Raises DataFolderError
    when the database cannot be used.
    """
    configure_logging(settings.log_level)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    services = await Services.open(settings)
    try:
        on_ready(services)
        await stopped.wait()
    finally:
        await services.close(drain=settings.drain_seconds)

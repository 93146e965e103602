"""The one place where the parts are built from settings and joined."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from inhouse.access import Access, Limits
from inhouse.agent.responses.background import Background
from inhouse.agent.responses.follow import Follower
from inhouse.agent.responses.gather import Memory
from inhouse.agent.responses.runs import Runs
from inhouse.agent.responses.sealed import Seal
from inhouse.agent.responses.upkeep import Upkeep
from inhouse.api import completions, conversations, embeddings, models, responses
from inhouse.api.chat import completions as chat_completions
from inhouse.api.chat.completions import messages as chat_messages
from inhouse.api.conversations import items as conversation_items
from inhouse.api.responses import input_items, input_tokens
from inhouse.clock import Clock, SystemClock
from inhouse.context import Context
from inhouse.contract import Contract
from inhouse.contract.openapi import openapi
from inhouse.engines.models import Model, Models
from inhouse.errors import APIError
from inhouse.fetch import Fetcher
from inhouse.ids import IdMaker, Ids
from inhouse.jobs import Jobs, Worker
from inhouse.jobs.worker import DRAIN_SECONDS
from inhouse.operations import Dispatcher, Json, Operation, Table
from inhouse.scope import Scope
from inhouse.settings import Settings
from inhouse.stores.chats import ChatStore
from inhouse.stores.conversations import ConversationStore
from inhouse.stores.database import Database
from inhouse.stores.models import ModelStore
from inhouse.stores.responses import ResponseStore
from inhouse.stores.secret import agree
from inhouse.stores.secret import load as load_secret
from inhouse.telemetry import Metrics

_DATABASE_SECONDS = 2.0

MODULES = (
    models,
    embeddings,
    completions,
    chat_completions,
    chat_messages,
    conversations,
    conversation_items,
    responses,
    input_items,
    input_tokens,
)
"""Every module of `api` that holds operations."""


def operations() -> list[Operation]:
    """Every operation that has a handler."""
    return [
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, Operation)
    ]


@dataclass(slots=True)
class Services:
    """The parts of one server, joined. Made by `open`, ended by `close`."""

    settings: Settings
    database: Database
    access: Access
    models: Models
    model_store: ModelStore
    contract: Contract
    metrics: Metrics
    clock: Clock
    ids: IdMaker
    dispatcher: Dispatcher
    worker: Worker
    upkeep: Upkeep
    draining: bool = False

    @classmethod
    async def open(
        cls,
        settings: Settings,
        *,
        clock: Clock | None = None,
        ids: IdMaker | None = None,
        models: Callable[[ModelStore], Models] | None = None,
    ) -> "Services":
        """Open the data folder and join the parts; default models begin to load in the background.

        Tests hand in their own clock, ids and models. Raises `DataFolderError` when the data folder
        is in use, newer than this program, or not usable.
        """
        clock, ids = clock or SystemClock(), ids or Ids()
        database = Database.open(settings.data, url=settings.database_url, server=True)
        try:
            secret = load_secret(settings.data, settings.secret)
            await agree(database, secret)
            access = Access(
                database,
                secret,
                clock,
                ids,
                limits=Limits(settings.requests_per_minute, settings.tokens_per_minute),
                no_auth=settings.no_auth,
            )
            store = ModelStore(database, clock)
            running = models(store) if models else Models(settings, store)
            await running.start()
        except BaseException:
            await database.close()
            raise
        contract, metrics = Contract.load(), Metrics()
        metrics.watch(
            lambda: [(load.model, load.waiting, load.running) for load in running.loads()]
        )
        ports = [port for port in (settings.port, settings.metrics_port) if port is not None]
        fetcher = Fetcher({"image_url": settings.fetch_allow}, own_ports=ports)
        memory = Memory(ResponseStore(database), ConversationStore(database), ids)
        server = ids("srv_")
        runs = Runs(
            database=database,
            models=running,
            memory=memory,
            fetcher=fetcher,
            seal=Seal(secret),
            clock=clock,
            ids=ids,
            server=server,
        )
        background = Background(runs, access, metrics)
        made = partial(
            Context,
            models=running,
            chats=ChatStore(database),
            conversations=memory.conversations,
            responses=memory.responses,
            runs=runs,
            background=background,
            follower=Follower(database, memory.responses, clock),
            fetcher=fetcher,
            settings=settings,
            clock=clock,
            ids=ids,
        )

        def context(scope: Scope, model: Model | None, requested: str | None) -> Context:
            return made(scope=scope, model=model, requested_model=requested)

        services = cls(
            settings=settings,
            database=database,
            access=access,
            models=running,
            model_store=store,
            contract=contract,
            metrics=metrics,
            clock=clock,
            ids=ids,
            dispatcher=Dispatcher(
                Table(contract, operations()), access, running, context, clock, metrics
            ),
            worker=Worker(Jobs(database, clock, ids), server, [background.handler]),
            upkeep=Upkeep(database, clock, server),
        )
        await services.worker.start()
        await services.upkeep.start()
        return services

    async def close(self, drain: float = DRAIN_SECONDS) -> None:
        """Let jobs end for `drain` seconds and give the rest back, end the engines, finish the
        writes, let go of the data folder.
        """
        await self.upkeep.close()
        await self.worker.close(drain)
        await self.models.close()
        await self.database.close()

    async def health(self) -> tuple[bool, Json]:
        """Whether requests can be served, and why not."""
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                await self.database.read("SELECT 1")
            database = "ok"
        except (TimeoutError, APIError, OSError):
            database = "not answering"
        ready = database == "ok" and not self.draining
        return ready, {"database": database, "draining": self.draining}

    def openapi(self) -> Json:
        """The OpenAPI document of the operations that have a handler."""
        return openapi(self.contract, {operation.name for operation in operations()})

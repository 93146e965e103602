"""What a handler sees: its scope and the services, as typed fields. Only handlers see it."""

import msgspec

from inhouse.agent.responses.background import Background
from inhouse.agent.responses.follow import Follower
from inhouse.agent.responses.runs import Runs
from inhouse.clock import Clock
from inhouse.engines.models import Model, Models
from inhouse.fetch import Fetcher
from inhouse.ids import IdMaker
from inhouse.scope import Scope
from inhouse.settings import Settings
from inhouse.stores.chats import ChatStore
from inhouse.stores.conversations import ConversationStore
from inhouse.stores.responses import ResponseStore


class Context(msgspec.Struct, frozen=True):
    """One request's view of the house.

    `model` is the resolved model of an operation that names one, `requested_model` the name as the
    client wrote it (an alias, perhaps).
    """

    scope: Scope
    models: Models
    model: Model | None
    requested_model: str | None
    chats: ChatStore
    conversations: ConversationStore
    responses: ResponseStore
    runs: Runs
    background: Background
    follower: Follower
    fetcher: Fetcher
    settings: Settings
    clock: Clock
    ids: IdMaker

"""What tests of conversations say and ask."""

from typing import Any

from openai import AsyncOpenAI
from tests.conftest import House

from inhouse.stores.organizations import OrganizationStore

Json = dict[str, Any]


def message(text: str, role: str = "user", **fields: Any) -> Any:
    """A message as a client writes it."""
    return {"role": role, "content": text, **fields}


async def said(client: AsyncOpenAI, conversation_id: str, **options: Any) -> list[Any]:
    """All items of a conversation, oldest first unless asked otherwise."""
    options = {"order": "asc", **options}
    return [item async for item in client.conversations.items.list(conversation_id, **options)]


async def texts(client: AsyncOpenAI, conversation_id: str, **options: Any) -> list[str]:
    """The text of each message of a conversation."""
    return [item.content[0].text for item in await said(client, conversation_id, **options)]


async def key_with(house: House, *permissions: str) -> str:
    """A key of the default project that has only these permissions."""
    return (await house.services.access.create_key("some", permissions=permissions)).value


async def stranger(house: House) -> AsyncOpenAI:
    """The client of another project."""
    services = house.services
    organizations = OrganizationStore(services.database, services.clock, services.ids)
    organization = await organizations.first()
    assert organization is not None
    project = await organizations.create_project(organization.id, "Other")
    return house.client((await services.access.create_key("other", project=project.id)).value)

"""The official client against a server whose database is on PostgreSQL."""

from tests.conftest import House


async def test_a_stored_chat_completion_is_kept_listed_and_deleted(
    house_on_postgres: House,
) -> None:
    completions = house_on_postgres.client().chat.completions
    made = await completions.create(
        model="scripted",
        messages=[{"role": "user", "content": "Hi"}],
        store=True,
        metadata={"a": "b"},
    )
    assert (await completions.retrieve(made.id)).metadata == {"a": "b"}
    listed = await completions.list(metadata={"a": "b"})
    assert [entry.id for entry in listed.data] == [made.id]
    assert (await completions.delete(made.id)).deleted
    assert not (await completions.list()).data


async def test_a_response_is_stored_and_continued(house_on_postgres: House) -> None:
    responses = house_on_postgres.client().responses
    first = await responses.create(model="scripted", input="Hi")
    second = await responses.create(
        model="scripted", input="And?", previous_response_id=first.id, background=True
    )
    assert second.status == "queued"
    for _ in range(100):
        found = await responses.retrieve(second.id)
        if found.status == "completed":
            break
    assert found.output_text
    assert [item.id for item in (await responses.input_items.list(second.id)).data]

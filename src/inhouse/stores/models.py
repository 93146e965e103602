"""Models that were pulled or configured, names that lead to them, and small facts to remember."""

from collections.abc import Mapping
from typing import Any

from inhouse.clock import Clock
from inhouse.stores import bodies
from inhouse.stores.database import Database, Statement
from inhouse.stores.errors import Duplicate, Stale

Json = dict[str, Any]

_PUT = (
    "INSERT INTO models (id, created, body) VALUES (?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET body = excluded.body"
)
_SEED = "INSERT INTO models (id, created, body) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
_PUT_ALIAS = (
    "INSERT INTO aliases (name, model, created) VALUES (?, ?, ?)"
    " ON CONFLICT (name) DO UPDATE SET model = excluded.model"
)
_SEED_ALIAS = (
    "INSERT INTO aliases (name, model, created) VALUES (?, ?, ?) ON CONFLICT (name) DO NOTHING"
)


class ModelStore:
    """One server's models and aliases; they belong to no project. `generation` says when to read
    again.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @property
    def generation(self) -> int:
        """Differs from an earlier value if entries or aliases may have changed."""
        return self._database.generation

    async def list(self) -> dict[str, Json]:
        """All entries by id, oldest first. An entry is whatever was put."""
        rows = await self._database.read("SELECT id, body FROM models ORDER BY created, id")
        return {model_id: bodies.load(body) for model_id, body in rows}

    async def put(self, model_id: str, entry: Json) -> None:
        """Keep an entry, in place of an earlier one with this id."""
        params = (model_id, int(self._clock.now()), bodies.dump(entry))
        await self._database.write(Statement(_PUT, params))

    async def remove(self, model_id: str) -> bool:
        """Forget an entry; False if there was none."""
        return await self._removed("DELETE FROM models WHERE id = ?", model_id)

    async def aliases(self) -> dict[str, str]:
        """Model ids by alias (a name, or a pattern with `*`), oldest first."""
        rows = await self._database.read("SELECT name, model FROM aliases ORDER BY created, name")
        return dict(rows)

    async def put_alias(self, name: str, model: str) -> None:
        """Let `name` lead to `model`, in place of where it led before."""
        await self._database.write(Statement(_PUT_ALIAS, (name, model, int(self._clock.now()))))

    async def remove_alias(self, name: str) -> bool:
        """Forget an alias; False if there was none."""
        return await self._removed("DELETE FROM aliases WHERE name = ?", name)

    async def seed(self, entries: Mapping[str, Json], aliases: Mapping[str, str]) -> bool:
        """Put default entries and alias rules, once in the life of a data folder: what is removed
        does not come back.

        What is there already stays as it is. Whether this call was the one.
        """
        now = int(self._clock.now())
        if await self._database.read("SELECT 1 FROM facts WHERE name = 'models_seeded'"):
            return False
        once = Statement("INSERT INTO facts (name, value) VALUES ('models_seeded', 'yes')")
        seeds = [
            Statement(_SEED, (id, now, bodies.dump(entry)))
            for id, entry in entries.items()  # noqa: A001
        ]
        rules = [Statement(_SEED_ALIAS, (name, id, now)) for name, id in aliases.items()]  # noqa: A001
        try:
            await self._database.write(once, *seeds, *rules)
        except Duplicate:
            return False
        return True

    async def _removed(self, sql: str, name: str) -> bool:
        try:
            await self._database.write(Statement(sql, (name,), rows=1))
        except Stale:
            return False
        return True

"""Usage: one row per request, and sums over them by time and by who, what and with which key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from inhouse.scope import Scope
from inhouse.stores.database import Database, Statement

Group = Literal["project", "owner", "key_id", "operation", "model", "batch"]

_INSERT = (
    "INSERT INTO usage (organization, project, owner, key_id, created, operation, model, batch,"
    " status, input, cached, output, reasoning, first_token_seconds, request_id)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SUMS = "COUNT(*), " + ", ".join(
    f"CAST(SUM({column}) AS BIGINT)" for column in ("input", "cached", "output", "reasoning")
)
_GROUPS = ("project", "owner", "key_id", "operation", "model", "batch")


@dataclass(frozen=True, slots=True)
class Sums:
    """What one group used in one bucket, which starts at `start` (seconds since the epoch)."""

    start: int
    group: Mapping[str, str]
    requests: int
    input: int
    cached: int
    output: int
    reasoning: int


def recording(scope: Scope, operation: str, status: int, now: int) -> Statement:
    """The statement that keeps what the request has used."""
    usage, principal = scope.usage, scope.principal
    return Statement(
        _INSERT,
        (
            scope.organization,
            scope.project or "",
            principal.id,
            principal.key_id,
            now,
            operation,
            usage.model or "",
            int(scope.priority == "batch"),
            status,
            usage.input,
            usage.cached,
            usage.output,
            usage.reasoning,
            usage.first_token_seconds,
            scope.request_id,
        ),
    )


class UsageStore:
    """Answers what was used."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sums(
        self,
        organization: str,
        start: int,
        end: int,
        *,
        width: int = 86400,
        group_by: Sequence[Group] = (),
        where: Mapping[Group, Sequence[str]] | None = None,
    ) -> list[Sums]:
        """Sums of start <= time < end, in buckets of `width` seconds counted from `start`, in
        order.

        `where` keeps rows whose field is one of the given values. Requests that failed or were left
        after they had used tokens count too. Empty buckets are left out.
        """
        conditions, params = "", list[object]()
        for field, values in (where or {}).items():
            conditions += f" AND {_known(field)} IN ({', '.join('?' * len(values))})"
            params += values
        bucket = f"(created - {int(start)}) / {int(width)}"
        columns = [bucket, *(_known(field) for field in group_by)]
        numbers = ", ".join(str(number + 1) for number in range(len(columns)))
        sql = (
            f"SELECT {', '.join(columns)}, {_SUMS} FROM usage"  # noqa: S608 - names from _GROUPS
            " WHERE organization = ? AND created >= ? AND created < ?"
            f"{conditions} GROUP BY {numbers} ORDER BY {numbers}"
        )
        rows = await self._database.read(sql, [organization, start, end, *params])
        last = len(columns)
        return [
            Sums(
                start + row[0] * width,
                dict(zip(group_by, map(str, row[1:last]), strict=True)),
                *row[last:],
            )
            for row in rows
        ]


def _known(field: str) -> str:
    if field not in _GROUPS:
        raise ValueError(f"usage has no field {field}")
    return field

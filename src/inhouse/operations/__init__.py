"""The one way in: validate, authorise, reserve, call, settle. Knows no HTTP."""

from inhouse.operations.dispatch import Answer, Call, Dispatcher
from inhouse.operations.operation import Content, Json, Operation, Result, Stream, operation
from inhouse.operations.table import Route, Table

__all__ = [
    "Answer",
    "Call",
    "Content",
    "Dispatcher",
    "Json",
    "Operation",
    "Result",
    "Route",
    "Stream",
    "Table",
    "operation",
]

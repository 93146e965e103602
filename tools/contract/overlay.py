"""Applies `overlay.toml`: what neither the SDK nor the published document says in a form that a program can read."""

from typing import Any

from tools.contract.types import Schema, Types


def apply_before(rules: dict[str, Any], operations: dict[str, Any], types: Types) -> None:
    """Bodies that the SDK makes by hand, so that the document's constraints reach them too."""


def apply_after(
    rules: dict[str, Any], operations: dict[str, Any], definitions: dict[str, Schema]
) -> None:
    """Rules that have the last word."""

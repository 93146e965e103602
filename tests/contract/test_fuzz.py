"""A body is valid exactly when there is nothing to explain; explanations name the right place."""

import random
from functools import cache
from typing import Any

import pytest
from tests.contract.mutations import JUNK, mutate
from tests.contract.sampling import call
from tests.contract.wiretap import find, record
from tools.contract.sdk import methods

from inhouse.contract import OperationSpec, parse
from inhouse.contract.explain import Explainer

Seed = tuple[OperationSpec, Any]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client


@cache
def seeds() -> list[Seed]:
    """Bodies that the official client sends."""
    found: list[Seed] = []
    for method in methods():
        for turn in range(3) if method.body else ():
            sent = record(lambda client: call(client, method, turn, all_of_them=True))  # noqa: B023
            if sent.content_type == "application/json":
                found.append((find(sent), parse(sent.content)))
    return found


def disagreement(spec: OperationSpec, body: Any) -> str | None:
    """What is strange about the check of a body, if anything is."""
    check = spec.body_check
    problem = Explainer(spec.definitions).find(spec.body_schema, body)
    if not check.valid(body) and problem is None:
        return f"{spec.key}: refused without a reason: {body}"
    if check.valid(body) and not check.suspicious(body) and problem is not None:
        return f"{spec.key}: {problem.message} about a valid body: {body}"
    return None


def test_there_are_seeds_for_most_operations_with_a_body() -> None:
    assert len({spec.key for spec, _ in seeds()}) > 110


@pytest.mark.parametrize("number", range(4))
def test_a_body_is_valid_exactly_when_there_is_nothing_to_explain(number: int) -> None:
    chance = random.Random(number)  # noqa: S311 - to be the same every time
    counts = {True: 0, False: 0}
    for _ in range(2_500):
        spec, body = chance.choice(seeds())
        changed = mutate(body, chance)
        if isinstance(changed, dict):
            assert (wrong := disagreement(spec, changed)) is None, wrong
            counts[spec.body_check.valid(changed)] += 1
    assert min(counts.values()) > 250


def test_junk_in_any_field_of_the_top_is_judged_alike() -> None:
    for spec, body in seeds()[::3]:
        for name in body:
            for junk in JUNK:
                assert (wrong := disagreement(spec, {**body, name: junk})) is None, wrong


def test_an_unknown_field_is_named_with_its_place() -> None:
    """Every closed object of every seed, one unknown field at a time."""
    judged = named = 0
    for spec, body in seeds():
        for path, owner in objects(body, ""):
            owner["unknown_"] = 1
            problem = Explainer(spec.definitions).find(spec.body_schema, body)
            del owner["unknown_"]
            if problem is not None:
                judged += 1
                named += problem.param == f"{path}.unknown_".removeprefix(".")
    assert judged > 800
    assert named / judged > 0.97


def objects(value: Any, path: str) -> list[tuple[str, dict[str, Any]]]:
    """All objects within a body with their places."""
    found: list[tuple[str, dict[str, Any]]] = []
    if isinstance(value, dict):
        found.append((path, value))
        for name, inner in list(value.items()):
            found += objects(inner, f"{path}.{name}".removeprefix("."))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            found += objects(inner, f"{path}[{index}]")
    return found

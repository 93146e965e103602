"""What the server tells its operator: logs on stderr and Prometheus metrics. It calls nobody.

Neither ever holds a key, a prompt or an answer. Counting is adding to plain numbers on the event
loop's thread; the library's families are made from them when somebody reads the metrics.
"""

import logging
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

log = logging.getLogger("inhouse")

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_GAPS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

Loads = Callable[[], Iterable[tuple[str, int, int]]]
"""Gives (model, waiting calls, running calls)."""


def configure_logging(level: str) -> None:
    """Log records of `level` and above go to stderr, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


class Durations:
    """A histogram of seconds."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def add_to(self, family: HistogramMetricFamily, labels: list[str]) -> None:
        """Put the counts, cumulative as the format wants them, into a family."""
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        counts = accumulate(self._counts)
        buckets = list(zip(names, map(float, counts), strict=True))
        family.add_metric(labels, buckets, self._sum)


class ModelMetrics:
    """The numbers of one model. `input` includes `cached`, `output` includes `reasoning`."""

    __slots__ = ("cached", "first_token", "gap", "input", "output", "reasoning")

    def __init__(self) -> None:
        self.input = self.cached = self.output = self.reasoning = 0
        self.first_token = Durations(_SECONDS)
        self.gap = Durations(_GAPS)


class _Answers:
    """The answers of one operation."""

    __slots__ = ("by_status", "seconds")

    def __init__(self) -> None:
        self.by_status: dict[int, int] = {}
        self.seconds = Durations(_SECONDS)


class Metrics(Collector):
    """All numbers of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._models: dict[str, ModelMetrics] = {}
        self._answers: dict[str, _Answers] = {}
        self._loads: Loads = tuple
        self.registry.register(self)

    def watch(self, loads: Loads) -> None:
        """Ask `loads` for the models' queues whenever the metrics are read."""
        self._loads = loads

    def model(self, name: str) -> ModelMetrics:
        """The numbers of model `name`."""
        found = self._models.get(name)
        if found is None:
            found = self._models[name] = ModelMetrics()
        return found

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count one answer."""
        answers = self._answers.get(operation)
        if answers is None:
            answers = self._answers[operation] = _Answers()
        answers.by_status[status] = answers.by_status.get(status, 0) + 1
        answers.seconds.observe(seconds)

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)

    def collect(self) -> Iterable[Metric]:
        """The families, for the library. May run on another thread: it reads copies of the keys."""
        yield self._requests()
        yield self._request_seconds()
        yield self._tokens()
        yield self._first_token()
        yield self._gaps()
        yield self._queues()

    def _requests(self) -> Metric:
        family = CounterMetricFamily(
            "inhouse_requests",
            "Requests answered, by operation and status.",
            labels=["operation", "status"],
        )
        for operation, answers in list(self._answers.items()):
            for status, count in list(answers.by_status.items()):
                family.add_metric([operation, str(status)], count)
        return family

    def _request_seconds(self) -> Metric:
        family = HistogramMetricFamily(
            "inhouse_request_seconds",
            "Seconds from a request's head to the last byte of its answer.",
            labels=["operation"],
        )
        for operation, answers in list(self._answers.items()):
            answers.seconds.add_to(family, [operation])
        return family

    def _tokens(self) -> Metric:
        family = CounterMetricFamily(
            "inhouse_tokens",
            "Tokens by model and kind; input includes cached, output includes reasoning.",
            labels=["model", "kind"],
        )
        for model, numbers in list(self._models.items()):
            for kind in ("input", "cached", "output", "reasoning"):
                family.add_metric([model, kind], getattr(numbers, kind))
        return family

    def _first_token(self) -> Metric:
        family = HistogramMetricFamily(
            "inhouse_first_token_seconds",
            "Seconds from a turn's start to the first delta of its model.",
            labels=["model"],
        )
        for model, numbers in list(self._models.items()):
            numbers.first_token.add_to(family, [model])
        return family

    def _gaps(self) -> Metric:
        family = HistogramMetricFamily(
            "inhouse_inter_token_seconds",
            "Seconds between two batches of a stream.",
            labels=["model"],
        )
        for model, numbers in list(self._models.items()):
            numbers.gap.add_to(family, [model])
        return family

    def _queues(self) -> Metric:
        family = GaugeMetricFamily(
            "inhouse_queue", "Calls at a model, by state.", labels=["model", "state"]
        )
        for model, waiting, running in self._loads():
            family.add_metric([model, "waiting"], waiting)
            family.add_metric([model, "running"], running)
        return family

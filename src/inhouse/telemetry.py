"""What the server tells its operator: logs on stderr and Prometheus metrics. It calls nobody.

Neither ever holds a key, a prompt or an answer.
"""

import logging
import sys
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

log = logging.getLogger("inhouse")

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_GAPS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


def configure_logging(level: str) -> None:
    """Log records of `level` and above go to stderr, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())


class ModelMetrics:
    """The series of one model, looked up once: a labelled look-up costs more than the increment."""

    __slots__ = ("cached", "first_token", "gap", "input", "output", "reasoning")

    def __init__(self, metrics: "Metrics", model: str) -> None:
        self.input = metrics.tokens.labels(model, "input")
        self.cached = metrics.tokens.labels(model, "cached")
        self.output = metrics.tokens.labels(model, "output")
        self.reasoning = metrics.tokens.labels(model, "reasoning")
        self.first_token = metrics.first_token.labels(model)
        self.gap = metrics.inter_token.labels(model)


class Metrics:
    """All series of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self.requests = Counter(
            "inhouse_requests",
            "Requests answered, by operation and status.",
            ["operation", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "inhouse_request_seconds",
            "Seconds from the request's head to the last byte of its answer.",
            ["operation"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.tokens = Counter(
            "inhouse_tokens",
            "Tokens by model and kind; input includes cached, output includes reasoning.",
            ["model", "kind"],
            registry=self.registry,
        )
        self.first_token = Histogram(
            "inhouse_first_token_seconds",
            "Seconds from a request's start to the first delta of its model.",
            ["model"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.inter_token = Histogram(
            "inhouse_inter_token_seconds",
            "Seconds between two batches of a stream.",
            ["model"],
            buckets=_GAPS,
            registry=self.registry,
        )
        self._models: dict[str, ModelMetrics] = {}
        self._answers: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def watch(self, loads: Callable[[], Iterable[tuple[str, int, int]]]) -> None:
        """Ask `loads` for (model, waiting, running) calls whenever the metrics are read."""
        self.registry.register(_Queues(loads))

    def model(self, name: str) -> ModelMetrics:
        """The series of model `name`."""
        found = self._models.get(name)
        if found is None:
            found = self._models[name] = ModelMetrics(self, name)
        return found

    def answered(self, operation: str, status: int, seconds: float) -> None:
        """Count one answer."""
        key = (operation, status)
        found = self._answers.get(key)
        if found is None:
            found = (self.requests.labels(operation, str(status)), self.seconds.labels(operation))
            self._answers[key] = found
        found[0].inc()
        found[1].observe(seconds)

    def render(self) -> bytes:
        """The text exposition format."""
        return generate_latest(self.registry)


class _Queues(Collector):
    """The queues of the models, as they are when they are asked for."""

    def __init__(self, loads: Callable[[], Iterable[tuple[str, int, int]]]) -> None:
        self._loads = loads

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = GaugeMetricFamily(
            "inhouse_queue", "Calls at a model, by state.", labels=["model", "state"]
        )
        for model, waiting, running in self._loads():
            family.add_metric([model, "waiting"], waiting)
            family.add_metric([model, "running"], running)
        yield family

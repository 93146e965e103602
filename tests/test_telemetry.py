"""Metrics are what was counted, in the format that Prometheus reads."""

from prometheus_client.parser import text_string_to_metric_families

from inhouse.telemetry import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Every sample by its name and its labels' values, sorted."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_answers_are_counted_by_operation_and_status() -> None:
    metrics = Metrics()
    for status in (200, 200, 404):
        metrics.answered("GET /models", status, 0.02)
    found = samples(metrics)
    assert found["inhouse_requests_total", "200", "GET /models"] == 2
    assert found["inhouse_requests_total", "404", "GET /models"] == 1
    assert found["inhouse_request_seconds_count", "GET /models"] == 3


def test_buckets_are_cumulative_and_a_bound_belongs_to_its_bucket() -> None:
    metrics = Metrics()
    for seconds in (0.001, 0.0025, 0.003, 9.0):
        metrics.model("m").gap.observe(seconds)
    found = samples(metrics)
    name = "inhouse_inter_token_seconds_bucket"
    assert [
        found[(name, *sorted(("m", bound)))]
        for bound in ("0.001", "0.0025", "0.005", "5.0", "+Inf")
    ] == [
        1,
        2,
        3,
        3,
        4,
    ]


def test_tokens_and_queues_are_told_per_model() -> None:
    metrics = Metrics()
    metrics.watch(lambda: [("m", 3, 4)])
    metrics.model("m").output += 7
    found = samples(metrics)
    assert found["inhouse_tokens_total", "m", "output"] == 7
    assert found["inhouse_queue", "m", "waiting"] == 3
    assert found["inhouse_queue", "m", "running"] == 4


def test_a_fresh_server_has_metrics_to_read() -> None:
    assert "inhouse_requests" in Metrics().render().decode()

"""What the server counts, for Prometheus: numbers, and nobody's name."""

import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

REGISTRY = CollectorRegistry()  # ours: a project may have others

CONNECTIONS = Gauge("realtime_connections", "Connections of users.", registry=REGISTRY)
STRANGERS = Gauge(
    "realtime_strangers",
    "Connections whose users are not known yet.",
    registry=REGISTRY,
)
EVENTS = Counter("realtime_events", "Events from the bus.", registry=REGISTRY)
DELIVERIES = Counter("realtime_deliveries", "Events to connections.", registry=REGISTRY)
CHECKS = Counter(
    "realtime_checks", "Connections whose access was checked.", registry=REGISTRY
)
CUT_OFF = Counter(
    "realtime_cut_off", "Connections that were cut off.", ["reason"], registry=REGISTRY
)
REFUSALS = Counter(
    "realtime_refusals", "Connections that were closed.", ["code"], registry=REGISTRY
)
RECONNECTS = Counter(
    "realtime_redis_reconnects", "Subscriptions after the first.", registry=REGISTRY
)
LAG = Histogram(
    "realtime_lag_seconds", "From the event to its delivery.", registry=REGISTRY
)


def observe_lag(id: str) -> None:
    """Note how old a message on a stream is: its id begins with the time in ms."""
    then, _, _number = id.partition("-")
    LAG.observe(max(0, time.time() - int(then) / 1000))


def exposed() -> str:
    """Return all numbers, as Prometheus reads them."""
    return generate_latest(REGISTRY).decode()

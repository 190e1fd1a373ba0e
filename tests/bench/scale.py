"""Does it scale? A model, fed with what was measured, says what many clients take.

It knows what a connection and a delivery cost on one core, and multiplies. All else is
assumed, and each assumption is an option. Where one thing depends on luck, such as how
many events a server can write at once, the answer is a range.
"""

import argparse
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from tests.bench.figures import Figures, digits
from tests.bench.processes import ROOT, Trouble

RESULTS = ROOT / "tests" / "bench" / "results" / "figures.json"
WIDTH = 80  # of the answer, which reads the same everywhere
BATCH = 500  # users whose access is checked together: REALTIME_CHECK_BATCH
QUERIES = 4  # for those who connect, and for each batch that is checked


class Range(NamedTuple):
    """From the best case to the worst."""

    low: float
    high: float


class Measured(NamedTuple):
    """What one thing costs on one core: bytes, and seconds."""

    memory: float  # a connection
    write: float  # an event that is written to a client alone
    frame: float  # an event that is written with a hundred others
    connect: float  # a client that connects
    event: float  # an event on the bus, whoever sees it

    @classmethod
    def of(cls, figures: Figures, clients: int) -> "Measured":
        """Return what follows from the figures of a run with some clients."""

        def median(name: str) -> float:
            value = figures.median("final", name)
            if value is None:
                raise Trouble(f"{name} was not measured: make bench")
            return value

        return cls(
            memory=median("memory") * 1_024,
            write=median("latency") / 1_000 / clients,
            frame=1 / median("burst"),
            connect=1 / median("connects"),
            event=median("unseen") / 1e6,
        )


@dataclass(frozen=True)
class Assumed:
    """What nobody can measure here."""

    clients: float = 100_000_000
    events: float = 1  # a second, that a client may see
    bus_events: float = 100  # a second, all together
    session: float = 600  # seconds that a client stays connected
    check_period: float = 60  # seconds: REALTIME_CHECK_PERIOD
    event_bytes: float = 340  # of a frame
    cores: float = 16  # of a machine, each with one process
    memory: float = 64e9  # bytes of a machine
    network: float = 10e9  # bits a second of a machine
    redis_network: float = 5e9  # bits a second that a Redis server can send
    queries: float = 20_000  # a second that the database can answer
    busy: float = 0.5  # how much of a core may be used


HELP = {
    "clients": "how many are connected",
    "events": "events a second that each client may see",
    "bus_events": "events a second on the bus, whoever may see them",
    "session": "seconds that a client stays connected",
    "check_period": "seconds in which the access of everybody is checked",
    "event_bytes": "bytes of an event as it is sent",
    "cores": "cores of a machine, each with one process",
    "memory": "bytes of memory of a machine",
    "network": "bits a second of a machine's network",
    "redis_network": "bits a second that a Redis server can send",
    "queries": "queries a second that the database can answer",
    "busy": "how much of a core may be used",
}
OPTIONS = {
    name: {"events": "events-per-second", "bus_events": "bus-events-per-second"}.get(
        name, name.replace("_", "-")
    )
    for name in HELP
}


class Limit(NamedTuple):
    """Something of which there is one, how many clients it is enough for, and then?"""

    what: str
    clients: float
    then: str


@dataclass(frozen=True)
class Plan:
    """What some clients take."""

    memory: float
    traffic: float  # bits a second
    delivering: Range  # cores
    connects_per_second: float
    connecting: float  # cores
    processes: Range
    machines: Range
    redis: Range  # servers: itself, and its replicas
    queries_per_second: float
    restart: Range  # seconds until the clients of a process are back
    limits: list[Limit]


def plan(measured: Measured, assumed: Assumed) -> Plan:
    """Return what it takes; raise Trouble if no number of servers is enough."""
    clients = assumed.clients
    each = [assumed.events * cost for cost in (measured.frame, measured.write)]
    delivering = Range(*(clients * cost for cost in each))
    connects = clients / assumed.session
    connecting = connects * measured.connect
    listening = assumed.bus_events * measured.event  # of a core, in every process
    free = assumed.busy - listening
    if free <= 0:
        raise Trouble(
            f"{assumed.bus_events:,.0f} events a second on the bus keep every process "
            "busy, whoever may see them: divide the bus."
        )
    for_memory = clients * measured.memory / (assumed.memory / assumed.cores)
    processes = Range(
        *(
            math.ceil(max((cores + connecting) / free, for_memory))
            for cores in delivering
        )
    )
    traffic = clients * assumed.events * assumed.event_bytes * 8
    for_network = traffic / assumed.network
    machines = Range(
        *(math.ceil(max(number / assumed.cores, for_network)) for number in processes)
    )
    bus = assumed.bus_events * assumed.event_bytes * 8
    redis = Range(
        *(math.ceil(number * bus / assumed.redis_network) for number in processes)
    )
    queries = QUERIES * (connects + clients / assumed.check_period / BATCH)
    return Plan(
        memory=clients * measured.memory,
        traffic=traffic,
        delivering=delivering,
        connects_per_second=connects,
        connecting=connecting,
        processes=processes,
        machines=machines,
        redis=redis,
        queries_per_second=queries,
        restart=Range(
            clients / processes.high * measured.connect,
            clients / processes.low * measured.connect,
        ),
        limits=limits(measured, assumed, free),
    )


def limits(measured: Measured, assumed: Assumed, free: float) -> list[Limit]:
    """Return what there is one of at first, in the order in which it gets too small."""
    work = assumed.events * measured.write + measured.connect / assumed.session
    process = min(free / work, assumed.memory / assumed.cores / measured.memory)
    bus = assumed.bus_events * assumed.event_bytes * 8
    queries = QUERIES * (1 / assumed.session + 1 / assumed.check_period / BATCH)
    found = [
        Limit("one process", process, "one for each core: --reuse-port"),
        Limit(
            "one machine",
            min(
                process * assumed.cores,
                assumed.network / (assumed.events * assumed.event_bytes * 8),
            ),
            "more machines, behind a load balancer",
        ),
        Limit(
            "the database",
            assumed.queries / queries,
            "clients that stay longer; replicas of the database",
        ),
        Limit(
            "one Redis",
            process * assumed.redis_network / bus,
            "replicas: a server may listen on any of them",
        ),
    ]
    return sorted(found, key=lambda limit: limit.clients)


def describe(plan: Plan, assumed: Assumed) -> Iterator[tuple[str, str]]:
    """Yield what is taken, and how much, for people."""
    yield "clients", f"{assumed.clients:,.0f}"
    yield "memory for connections", quantity(plan.memory, "B")
    yield "traffic to clients", quantity(plan.traffic, "bit/s")
    yield "deliveries per second", f"{assumed.clients * assumed.events:,.0f}"
    yield "cores that deliver", spread(plan.delivering)
    yield "clients that connect per second", f"{plan.connects_per_second:,.0f}"
    yield "cores that let them in", digits(plan.connecting)
    yield "server processes", spread(plan.processes)
    yield "machines", spread(plan.machines)
    yield "Redis servers, replicas included", spread(plan.redis)
    yield "database queries per second", f"{plan.queries_per_second:,.0f}"
    yield "seconds until a process has its clients back", spread(plan.restart)


def quantity(number: float, unit: str) -> str:
    """Return a number with a prefix, such as 8 Gbit/s."""
    for prefix, size in [("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6)]:
        if number >= size:
            return f"{digits(number / size)} {prefix}{unit}"
    return f"{digits(number)} {unit}"


def spread(numbers: Range) -> str:
    """Return a range, or a number if it is none."""
    low, high = map(digits, numbers)
    return low if low == high else f"{low} to {high}"


def main() -> int:
    """Answer, and return the exit code."""
    console = Console(highlight=False, width=WIDTH)
    given = command_line().parse_args()
    values = {name: getattr(given, OPTIONS[name].replace("-", "_")) for name in HELP}
    assumed = Assumed(**values)
    try:
        if not given.figures.is_file():
            raise Trouble(f"There are no figures in {given.figures}: make bench")
        measured = Measured.of(Figures.read(given.figures), given.measured_clients)
        answer = plan(measured, assumed)
    except Trouble as trouble:
        console.print(f"✗ {trouble}", soft_wrap=True)
        return 2
    table = Table(box=None, show_header=False)
    for row in describe(answer, assumed):
        table.add_row(*row)
    console.print(f"What {assumed.clients:,.0f} clients take:\n", style="bold")
    console.print(table)
    console.print("\nWhat breaks first, and what to change then:\n", style="bold")
    table = Table(box=None, show_header=False)
    for limit in answer.limits:
        table.add_row(limit.what, f"at {limit.clients:,.0f} clients", limit.then)
    console.print(table)
    console.print("\nAssumed:\n", style="bold")
    table = Table(box=None, show_header=False)
    for name, text in HELP.items():
        table.add_row(f"--{OPTIONS[name]}", f"{getattr(assumed, name):,.12g}", text)
    console.print(table)
    return 0


def command_line() -> argparse.ArgumentParser:
    """Return what understands the command line, and explains it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for field in fields(Assumed):
        parser.add_argument(
            f"--{OPTIONS[field.name]}",
            type=float,
            default=field.default,
            metavar="N",
            help=f"{HELP[field.name]} (default: {field.default:,.12g})",
        )
    parser.add_argument(
        "--figures",
        type=Path,
        default=RESULTS,
        metavar="FILE",
        help="what a run has measured (default: the run in tests/bench/results/)",
    )
    parser.add_argument(
        "--measured-clients",
        type=int,
        default=1_000,
        metavar="N",
        help="the number of clients of that run (default: 1000)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

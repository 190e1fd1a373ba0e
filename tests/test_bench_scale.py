"""The model that answers "Does it scale?", and the part that fits on a machine."""

import math
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from steps.ports import free_port
from tests.bench import processes
from tests.bench.figures import Figures
from tests.bench.peers import all_peers
from tests.bench.processes import ROOT, Trouble
from tests.bench.scale import Assumed, Measured, Plan, Range, describe, plan
from tests.real_redis import running_redis

MEASURED = Measured(memory=10_000, write=1e-5, frame=1e-6, connect=1e-3, event=1e-4)
ASSUMED = Assumed(
    clients=1_000_000,
    events=1,
    bus_events=100,
    session=1_000,
    check_period=100,
    event_bytes=1_000,
    cores=10,
    memory=10e9,
    network=1e9,
    redis_network=1e9,
    queries=10_000,
    busy=0.5,
)


def planned(**assumptions: float) -> Plan:
    return plan(MEASURED, replace(ASSUMED, **assumptions))


def test_memory() -> None:
    """Each connection takes its memory."""
    assert 10e9 == planned().memory


def test_traffic() -> None:
    """Each client is sent each event that it may see: bits a second."""
    assert 8e9 == planned().traffic


def test_deliveries_cost_a_range() -> None:
    """Events are written one by one, or many at once: nobody knows how many."""
    assert Range(1, 10) == planned().delivering


def test_connecting() -> None:
    """Every client connects once a session."""
    assert (1_000, 1) == pytest.approx(
        (planned().connects_per_second, planned().connecting)
    )


def test_processes() -> None:
    """A process has half a core; what is left of reading the bus is for clients."""
    few, many = 2 / 0.49, 11 / 0.49
    assert Range(math.ceil(few), math.ceil(many)) == planned(memory=1e12).processes


def test_processes_for_memory() -> None:
    """If memory is short, it takes as many processes as there is memory for."""
    few, many = planned(memory=10e8).processes
    assert few == many == 100


def test_bus_too_fast() -> None:
    """If reading the bus takes a process all its time, no number of them helps."""
    with pytest.raises(Trouble, match="5,000 events a second"):
        planned(bus_events=5_000)


def test_machines() -> None:
    """A machine has some cores, and one network."""
    assert Range(8, 8) == planned().machines
    assert Range(1, 3) == planned(network=1e10).machines


def test_replicas() -> None:
    """Every process reads the whole bus from Redis, which has one network."""
    assert Range(1, 1) == planned().redis
    many = planned(clients=1e9, network=1e12)
    assert (many.processes.high * 100 * 1_000 * 8 / 1e9) == pytest.approx(
        many.redis.high, abs=1
    )


def test_database() -> None:
    """Who connects is looked up, and everybody is again in each period, in batches."""
    connects, checks = 1_000 * 4, 1_000_000 / 100 / 500 * 4
    assert connects + checks == pytest.approx(planned().queries_per_second)


def test_restart() -> None:
    """The clients of a process come back one after the other."""
    few, many = planned().processes
    assert Range(1_000_000 / many / 1_000, 1_000_000 / few / 1_000) == pytest.approx(
        planned().restart
    )


def test_what_breaks_first() -> None:
    """Limits are in the order in which they are met, each with what to change then."""
    limits = planned().limits
    assert [limit.clients for limit in limits] == sorted(
        limit.clients for limit in limits
    )
    assert "one process" == limits[0].what
    assert all(limit.then for limit in limits)
    slow_database = {limit.what: limit for limit in planned(queries=100).limits}
    assert 100 / (4 / 1_000 + 4 / 500 / 100) == pytest.approx(
        slow_database["the database"].clients
    )


def test_twice_as_many() -> None:
    """Twice the clients take twice of everything."""
    once, twice = planned(), planned(clients=2_000_000)
    assert 2 * once.memory == twice.memory
    assert 2 * once.delivering.high == twice.delivering.high
    assert once.limits == twice.limits


@pytest.fixture
def figures() -> Figures:
    """Figures that the model is fed with."""
    figures = Figures({}, {"final": "this project"})
    for name, value in {
        "memory": 8,
        "latency": 12,
        "burst": 2e6,
        "connects": 500,
        "unseen": 200,
    }.items():
        figures.add("final", name, value)
    return figures


def test_measured(figures: Figures) -> None:
    """What a write, a frame, a connection and an event cost follows from figures."""
    assert Measured(
        memory=8_192, write=12e-6, frame=5e-7, connect=2e-3, event=2e-4
    ) == pytest.approx(Measured.of(figures, clients=1_000))


def test_not_measured(figures: Figures) -> None:
    """Without a figure there is no answer."""
    del figures.values["final"]["burst"]
    with pytest.raises(Trouble, match="burst"):
        Measured.of(figures, clients=1_000)


def test_described() -> None:
    """The answer names all that it assumes."""
    text = "\n".join(" ".join(row) for row in describe(planned(), ASSUMED))
    for words in ["1,000,000", "10 GB", "8 Gbit/s", "processes", "queries"]:
        assert words in text


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench.scale", *arguments],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
    )


def test_command(figures: Figures, tmp_path: Path) -> None:
    """The command reads the figures of a run, and answers."""
    file = tmp_path / "figures.json"
    figures.write(file)
    answer = run("--figures", str(file), "--clients", "100_000_000")
    assert (0, "") == (answer.returncode, answer.stderr)
    assert "100,000,000 clients" in answer.stdout
    assert "What breaks first" in answer.stdout


def test_command_without_figures(tmp_path: Path) -> None:
    """Without figures, one line says how to get them."""
    answer = run("--figures", str(tmp_path / "figures.json"))
    assert (2, 1) == (answer.returncode, answer.stdout.count("\n"))
    assert "make bench" in answer.stdout


def test_help() -> None:
    """--help names every assumption and its default."""
    said = run("--help").stdout
    for option in ["--clients", "--events-per-second", "--session", "--check-period"]:
        assert option in said
    assert "default" in said


def test_servers_on_replicas(tmp_path: Path) -> None:
    """Servers on Redis and on its replica all get every event, once and in order."""
    (ours, *_others) = all_peers("final")
    with ExitStack() as stack:
        primary = stack.enter_context(running_redis())
        port = free_port()
        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", ""]
        follow = ["--replicaof", "127.0.0.1", primary.rpartition(":")[2]]
        command = ["redis-server", *options, *follow]
        stack.enter_context(
            processes.starting(
                command, os.environ, port, None, tmp_path / "replica.log", tmp_path
            )
        )
        database = tmp_path / "db.sqlite3"
        environment = ours.environment_with(primary, database)
        publisher = stack.enter_context(
            processes.helping(
                "publisher", ["tests.bench.publisher", "stream"], environment
            )
        )
        publisher.ask("prepare", users=10)
        crowd = stack.enter_context(processes.generator())
        for url in [primary, primary, f"redis://127.0.0.1:{port}"]:
            server = free_port()
            stack.enter_context(
                processes.starting(
                    [part.format(port=server) for part in ours.command],
                    ours.environment_with(url, database),
                    server,
                    None,
                    tmp_path / f"{server}.log",
                )
            )
            tokens = publisher.ask("tokens", count=10, users=10, first=0)["tokens"]
            opened = crowd.ask(
                "connect", port=server, path="/", tokens=tokens, greeted=True
            )
            assert {"open": 10, "failed": 0} == opened
        crowd.ask("collect", first=0, count=100, seconds=20)
        publisher.tell("publish", first=0, count=100, rate=None, size=256, visible=True)
        came = crowd.answer()
        assert (3_000, 3_000) == (came["expected"], came["received"])
        assert (0, 0) == (came["disorder"], came["lost"])

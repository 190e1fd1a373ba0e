"""``python -m tests.bench`` is what ``make bench`` runs."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from steps.ports import free_port
from tests.bench import machine, processes, report
from tests.bench.figures import Figures
from tests.bench.measures import Measures
from tests.bench.options import Options, from_command_line
from tests.bench.peers import Peer, all_peers
from tests.bench.processes import Trouble
from tests.bench.stand import Place, Stand


def main() -> int:
    """Measure, show what came of it, and return the exit code."""
    options = from_command_line()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C
    console = Console(highlight=False)
    processes.raise_limits()
    options.out.mkdir(parents=True, exist_ok=True)
    figures = figures_of(options)
    try:
        with showing(console, options) as progress, taking_place() as place:
            for peer in options.peers:
                progress.peer(peer)
                measure(place, peer, options, figures, progress)
                figures.write(options.out / "figures.json")
    except Trouble as trouble:
        console.print(f"✗ {trouble}")
        return 1
    except KeyboardInterrupt:
        console.print("Stopped; what was measured before is kept.")
    finally:
        processes.end_children()
    report.write(figures, options.out)
    report.show(figures, console)
    console.print(f"\nAll of this is in {options.out}/")
    return 0


def figures_of(options: Options) -> Figures:
    """Return no figures yet, or what an earlier run has measured of something else."""
    peers = {peer.name: peer.title for peer in options.peers}
    file = options.out / "figures.json"
    if not options.add or not file.exists():
        return Figures(machine.description(), peers)
    figures = Figures.read(file)
    figures.forget(peers, options.measures)
    titles = figures.peers | peers
    order = [peer.name for peer in all_peers("final")]
    figures.peers = {name: titles[name] for name in order if name in titles}
    return figures


def measure(
    place: Place, peer: Peer, options: Options, figures: Figures, progress: "Shown"
) -> None:
    """Take all measures of one peer, or tell why not."""
    stand = None
    try:
        peer.prepare()
        stand = Stand(place, peer)
        with stand.resources:
            stand.prepare(options.work.crowd)
            measures = Measures(stand, figures, options.work, progress.measure)
            measures.run(options.measures)
    except Trouble as trouble:
        figures.leave_out(peer.name, "everything", str(trouble))


class Shown:
    """A line that tells what is being measured."""

    def __init__(self, progress: Progress, measures: int, peers: int) -> None:
        self.progress = progress
        self.measures = measures
        self.peers = 0
        self.done = 0
        self.task = progress.add_task("Redis", total=measures * peers)

    def peer(self, peer: Peer) -> None:
        self.title = peer.title
        self.done = self.peers * self.measures
        self.peers += 1
        self.progress.update(self.task, completed=self.done, description=peer.title)

    def measure(self, name: str) -> None:
        description = f"{self.title}: {name}"
        self.progress.update(self.task, completed=self.done, description=description)
        self.done += 1
        if not self.progress.console.is_terminal:
            self.progress.console.print(description)


@contextmanager
def showing(console: Console, options: Options) -> Iterator[Shown]:
    """Show what goes on, as long as the context lasts."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        yield Shown(progress, len(options.measures), len(options.peers))


@contextmanager
def taking_place() -> Iterator[Place]:
    """Start Redis and the crowd, each on the core that it is given."""
    if not sys.platform.startswith("linux"):
        raise Trouble("This needs Linux, which tells what other processes cost.")
    if (program := shutil.which("redis-server")) is None:
        raise Trouble("Redis is not installed: apt install redis-server")
    cores = processes.cores(processes.available_cores())
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        logs, port = Path(folder), free_port()
        command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
        with (
            processes.starting(
                command, {}, port, cores[2], logs / "redis.log", logs
            ) as redis,
            processes.generator(cores[1]) as crowd,
        ):
            url = f"redis://127.0.0.1:{port}/0"
            yield Place(redis, url, crowd, logs / "bench.sqlite3", logs, cores)


if __name__ == "__main__":
    sys.exit(main())

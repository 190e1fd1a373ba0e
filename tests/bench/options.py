"""What the command line asks for."""

import argparse
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import __doc__ as summary
from tests.bench.measures import MEASURES
from tests.bench.peers import Peer, all_peers
from tests.bench.processes import ROOT
from tests.bench.work import CROWD, FEW, Work

SPARE = 200  # open files that are no connections

EPILOG = """\
measures:
{measures}

peers:
{peers}

examples:
  make bench                                      everything, about 40 minutes
  make bench ARGS="--quick"                       a first impression, 7 minutes
  make bench ARGS="--only final how-to"           all measures of two peers
  make bench ARGS="--only burst final channels"   one measure; beginnings will do
  make bench ARGS="--add --only node latency"     that again, and keep the rest

The server has a core for itself. The clients, the publisher and Redis have another. If
that one is full, the clients set the pace: the figure is marked generator-bound. Run
it on a machine that does nothing else. Compare figures of one run only.

tests/bench/README.md says what is measured, how, and what is not fair.
"""


@dataclass(frozen=True)
class Options:
    """What to measure, of whom, with how many clients, and where to put the results."""

    peers: list[Peer]
    measures: set[str]
    work: Work
    out: Path
    add: bool


def from_command_line(arguments: Sequence[str] | None = None) -> Options:
    """Return what the command line asks for; exit if it makes no sense."""
    parser = command_line()
    given = parser.parse_args(arguments)
    if not (ROOT / given.code / "realtime" / "server.py").is_file():
        parser.error(f"--code: there is no server in {given.code}")
    peers, measures = all_peers(given.code), {*MEASURES}
    if given.only:
        names = [peer.name for peer in peers]
        for word in given.only:
            if not any(name.startswith(word) for name in [*names, *MEASURES]):
                choice = ", ".join([*names, *MEASURES])
                parser.error(f"--only: there is no {word}; choose from {choice}")
        words = tuple(given.only)
        peers = [peer for peer in peers if peer.name.startswith(words)] or peers
        measures = {name for name in MEASURES if name.startswith(words)} or measures
    work = Work.quick() if given.quick else Work()
    if given.clients:
        work = work.with_clients(given.clients)
    _soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not FEW <= work.clients <= (most - SPARE) / CROWD:
        parser.error(
            f"--clients: at least {FEW}, and five times as many must be able to "
            f"connect: this machine allows {most:,} open files (ulimit -Hn)"
        )
    return Options(peers, measures, work, given.out, given.add)


def command_line() -> argparse.ArgumentParser:
    """Return what understands the command line, and explains it."""
    measures = "\n".join(f"  {name:11} {text}" for name, text in MEASURES.items())
    names = "\n".join(f"  {peer.name:24} {peer.title}" for peer in all_peers("final"))
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=summary,
        epilog=EPILOG.format(measures=measures, peers=names),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="fewer clients, fewer repetitions, shorter loads",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="measures or peers, or how their names begin (default: all)",
    )
    parser.add_argument(
        "--clients",
        type=int,
        metavar="N",
        help="how many clients (default: 1000; with --quick: 100)",
    )
    parser.add_argument(
        "--code",
        default="final",
        metavar="FOLDER",
        help="the code folder that stands for this project (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "bench-results",
        metavar="DIR",
        help="where to put figures.json, table.md and the plots "
        "(default: bench-results/)",
    )
    parser.add_argument(
        "--add",
        action="store_true",
        help="keep what else figures.json in that folder tells",
    )
    return parser

"""The measures: what is done with each peer, and which figures come of it."""

import time
from collections.abc import Callable, Iterator

from tests.bench import processes
from tests.bench.figures import Figures
from tests.bench.processes import Trouble
from tests.bench.stand import Result, Stand, Watch, users_for
from tests.bench.work import FEW, Work

GENERATOR_BOUND = "generator-bound"
INCOMPLETE = "not all delivered in time"
LOST = "not all delivered"
UNSEEN_RATE = 500  # events a second
LARGE = 16_384  # bytes of an event that fills buffers
LARGE_RATE = 50  # events a second


class Measures:
    """Takes the measures of one peer."""

    def __init__(
        self,
        stand: Stand,
        figures: Figures,
        work: Work,
        progress: Callable[[str], None],
    ) -> None:
        self.stand = stand
        self.figures = figures
        self.work = work
        self.progress = progress

    def add(self, figure: str, value: float, *notes: str) -> None:
        self.figures.add(self.stand.peer.name, figure, value)
        for note in notes:
            self.figures.note(self.stand.peer.name, figure, note)

    def leave_out(self, what: str, why: str) -> None:
        self.figures.leave_out(self.stand.peer.name, what, why)

    def run(self, wanted: set[str]) -> None:
        """Take the measures that are wanted, each on a fresh server."""
        for name in MEASURES:
            if name not in wanted:
                continue
            self.progress(name)
            try:
                with self.stand.serving():
                    getattr(self, name)()
            except Trouble as trouble:
                self.leave_out(name, str(trouble))

    def repetitions(self, least: int = 3) -> Iterator[int]:
        """Yield some numbers, and some more as long as it takes little time."""
        start = time.monotonic()
        for number in range(self.work.repetitions):
            if number >= least and time.monotonic() - start > self.work.patience:
                break
            yield number

    def connects(self) -> None:
        """Let all clients connect, and leave, again and again."""
        stand = self.stand
        if not stand.peer.knows_users:
            self.leave_out("connects", "it knows no users")
            return
        stand.connect(FEW)  # whatever is done once has been done
        stand.leave()
        for _ in range(3):
            stand.settle()
            before = processes.cpu_time(stand.server.pid)
            stand.connect(self.work.clients)
            cpu = processes.cpu_time(stand.server.pid) - before
            self.add("connects", self.work.clients / cpu)
            stand.probe()
            stand.leave()

    def burst(self) -> None:
        """Publish many events at once."""
        self.stand.connect(self.work.clients)
        self.stand.probe()
        for _ in self.repetitions():
            result = self.stand.publish(self.work.burst)
            notes = [] if result.is_complete else [LOST]
            self.add("burst", result.received / result.cpu, *notes)

    def latency(self) -> None:
        """Publish one event."""
        self.stand.connect(self.work.clients)
        self.measure_latency("latency")

    def measure_latency(self, figure: str) -> None:
        self.stand.probe()
        for _ in self.repetitions():
            result = self.stand.publish(1)
            if not result.is_complete or result.max is None:
                raise Trouble("An event didn't arrive.")
            self.add(figure, result.max * 1_000, *self.notes(result))

    def sustained(self) -> None:
        """Publish events at a rate, and at a higher one if all goes well."""
        self.stand.connect(self.work.clients)
        self.stand.probe()
        for rate in self.work.rates:
            if not self.sustains(rate):
                break

    def sustains(self, rate: int) -> bool:
        """Publish events at a rate; return whether the server keeps up."""
        seconds = self.work.seconds
        result = self.stand.publish(rate * seconds, rate, seconds=3 * seconds)
        if result.p50 is None or result.p99 is None:
            raise Trouble("No event arrived.")
        notes = self.notes(result)
        self.add(f"sustained_{rate}", result.p99 * 1_000, *notes)
        self.add(f"sustained_{rate}_p50", result.p50 * 1_000, *notes)
        return result.is_complete and result.p99 < 1

    def notes(self, result: Result) -> list[str]:
        """Return what is to be known about a figure that depends on time."""
        found = [] if result.is_complete else [INCOMPLETE]
        return found + [GENERATOR_BOUND] * result.is_bound

    def crowd(self) -> None:
        """Measure what depends on the number of connections, up to many."""
        stand, users = self.stand, users_for(self.work.crowd)
        stand.connect(FEW, users)
        stand.probe()
        self.unseen("unseen_few")
        stand.settle()
        before = processes.memory(stand.server.pid)
        stand.connect(self.work.clients - FEW, users)
        stand.probe()
        self.unseen("unseen")
        stand.connect(self.work.crowd - self.work.clients, users)
        stand.settle()
        each = (processes.memory(stand.server.pid) - before) / (self.work.crowd - FEW)
        self.add("memory", each / 1_024)
        self.measure_latency("latency_crowd")
        self.unseen("unseen_crowd")

    def unseen(self, figure: str) -> None:
        """Publish events that nobody may see."""
        if not self.stand.peer.knows_users:
            self.leave_out(figure, "it knows no users")
            return
        count = self.work.unseen
        for _ in range(3):
            result = self.stand.publish(count, UNSEEN_RATE, visible=False)
            self.add(figure, result.cpu / count * 1e6)

    def stalled(self) -> None:
        """Publish large events to clients that read, then also to one that doesn't."""
        stand, seconds = self.stand, self.work.seconds
        if stand.peer.name == "bare":
            self.leave_out("stalled", "it waits for ever")
            return
        # What a server remembers of events is no cost of a client.
        stand.publish(self.work.unseen * 2, UNSEEN_RATE, size=LARGE, visible=False)
        stand.connect(self.work.readers)
        stand.probe()
        count = LARGE_RATE * seconds

        def publish() -> Result:
            return stand.publish(count, LARGE_RATE, size=LARGE, seconds=2 * seconds)

        before = publish()
        stand.connect(1, stalled=True)
        with Watch(stand.server.pid) as watch:
            after = publish()
        self.add_stalled("stalled", before, after, watch)

    def flood(self) -> None:
        """The same at the highest rate, for those who keep up with it."""
        rate, seconds = self.work.rates[-1], self.work.seconds
        stand = self.stand
        if not stand.peer.knows_users:
            self.leave_out("flood", "it knows no users")
            return
        if self.fails_at(rate):
            self.leave_out("flood", f"it doesn't keep up with {rate:,} events a second")
            return
        stand.connect(self.work.clients)
        stand.probe()
        before = stand.publish(rate * 2, rate, seconds=4)
        if not before.is_complete or before.p99 is None or before.p99 > 1:
            self.leave_out("flood", f"it doesn't keep up with {rate:,} events a second")
            return
        stand.connect(1, stalled=True)
        with Watch(stand.server.pid) as watch:
            after = stand.publish(2 * rate * seconds, rate, seconds=2 * seconds + 10)
        self.add_stalled("flood", before, after, watch)

    def fails_at(self, rate: int) -> bool:
        """Tell whether it is known already that a rate is too high."""
        name = self.stand.peer.name
        at_most = self.figures.median(name, f"sustained_{rate}")
        is_known = self.figures.median(name, f"sustained_{self.work.rates[0]}")
        return is_known is not None and (at_most is None or at_most > 1_000)

    def add_stalled(
        self, name: str, before: Result, after: Result, watch: Watch
    ) -> None:
        """Add what a stalled client has cost."""
        if before.p99 is None or after.p99 is None:
            raise Trouble("No event arrived.")
        self.add(name, after.p99 / before.p99, *self.notes(after))
        grown = watch.memory - watch.start_memory
        self.add(f"{name}_memory", grown / 1_048_576)
        if watch.closed_after is None:
            self.leave_out(f"{name}_eviction", "never, as long as was measured")
        else:
            self.add(f"{name}_eviction", watch.closed_after)


MEASURES = {
    name: getattr(Measures, name).__doc__
    for name in [
        "connects",
        "burst",
        "latency",
        "sustained",
        "crowd",
        "stalled",
        "flood",
    ]
}

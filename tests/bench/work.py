"""How much is done: the size of the work, the same for every peer."""

from dataclasses import dataclass, replace

FEW = 10  # connections, to compare with many
CROWD = 5  # times as many clients, for what depends on their number


@dataclass(frozen=True)
class Work:
    """The size of the work."""

    clients: int = 1_000
    burst: int = 100  # events
    repetitions: int = 20  # at most: three of what takes long
    patience: float = 8  # seconds for repetitions beyond the third
    rates: tuple[int, int] = (200, 1_000)  # events a second
    seconds: int = 10  # at each rate
    unseen: int = 500  # events
    readers: int = 50  # beside a stalled client

    @classmethod
    def quick(cls) -> "Work":
        """Return a size for a first impression."""
        return cls(100, repetitions=3, patience=2, seconds=2, unseen=100, readers=10)

    def with_clients(self, clients: int) -> "Work":
        """Return the same for another number of clients."""
        return replace(self, clients=clients)

    @property
    def crowd(self) -> int:
        """The number of clients for what depends on it."""
        return CROWD * self.clients

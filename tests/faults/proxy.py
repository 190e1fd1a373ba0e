"""A link between two processes, which fails as the test asks for."""

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from typing import Self


class Proxy:
    """A TCP proxy on a free port, to one or several other ports in turn."""

    def __init__(self, *targets: int) -> None:
        self.targets = [*targets]
        self.latency = 0.0  # seconds each way
        self.alive = asyncio.Event()
        self.alive.set()
        self.writers: set[StreamWriter] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.carry, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.server.close()
        self.cuts()
        self.alive.set()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Carry a connection to the next target that takes it."""
        self.writers.add(writer)
        for _target in self.targets:
            self.targets.append(target := self.targets.pop(0))
            with suppress(OSError):
                there, back = await asyncio.open_connection("127.0.0.1", target)
                self.writers.add(back)
                for source, sink in [(reader, back), (there, writer)]:
                    task = asyncio.create_task(self.pump(source, sink))
                    self.tasks.add(task)
                return
        writer.transport.abort()

    async def pump(self, source: StreamReader, sink: StreamWriter) -> None:
        """Carry one direction; hold it up as long as the link is dead."""
        with suppress(OSError):
            while data := await source.read(65536):
                await asyncio.sleep(self.latency)  # the length of the way
                await self.alive.wait()
                sink.write(data)
                await sink.drain()
        sink.close()

    def dies(self) -> None:
        """Carry nothing any more, and tell nobody."""
        self.alive.clear()

    def revives(self) -> None:
        self.alive.set()

    def cuts(self) -> None:
        """Break all connections off."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()

"""The processes of the demo: they end when the demo ends, and not earlier."""

import asyncio
import os
import re
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn, TypeVar

from . import Problem, screen
from .folder import ROOT

STARTUP = 30  # seconds in which a process must be ready
GRACE = 5  # seconds in which a process must end
LAST_WORDS = 20  # lines
ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

T = TypeVar("T")


class Child:
    """A process that runs until the demo ends it."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.words: deque[str] = deque(maxlen=LAST_WORDS)

    async def lines(self) -> AsyncIterator[str]:
        assert self.process.stdout is not None
        async for raw in self.process.stdout:
            if line := raw.decode(errors="replace").rstrip():
                yield line

    async def says(self, pattern: str) -> str:
        """Wait for a line that matches; return the first group of the pattern.

        Raise Problem if the process ends before, or says no such thing for too long.
        """
        try:
            async with asyncio.timeout(STARTUP):
                async for line in self.lines():
                    if match := re.search(pattern, line):
                        self.words.clear()
                        return match[1]
                    self.words.append(line)
        except TimeoutError:
            raise Problem(
                f"The {self.name} is not ready after {STARTUP} seconds."
            ) from None
        await self.ended_early()

    async def runs(self, hear: Callable[[str], None]) -> NoReturn:
        """Pass on what the process says; raise Problem when it ends."""
        async for line in self.lines():
            hear(line)
        await self.ended_early()

    async def ended_early(self) -> NoReturn:
        code = await self.process.wait()
        if code < 0:
            how = f"killed by {signal.Signals(-code).name}"
        else:
            how = f"with exit code {code}"
        raise Problem(f"The {self.name} ended by itself, {how}.")

    async def end(self) -> None:
        """End the process and all that it started; keep its last words."""
        self.signal(signal.SIGINT)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await self.process.wait()
        finally:
            self.signal(signal.SIGKILL)
        await self.process.wait()
        self.words.extend([line async for line in self.lines()])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and all that it started, as a terminal does."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


@asynccontextmanager
async def running(name: str, *arguments: str) -> AsyncIterator[Child]:
    """Run Python with these arguments as long as the context lasts.

    Show the last words of the process if there is a Problem.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-u",  # what it prints arrives at once
        *arguments,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        process_group=0,
    )
    child = Child(name, process)
    failed = False
    try:
        yield child
    except Problem:
        failed = True
        raise
    finally:
        await child.end()
        if failed:
            for line in child.words:
                screen.relay(name)(line)


async def first(*works: Coroutine[Any, Any, T]) -> T:
    """Run all; return what the first of them to end returns, or raise what it raises.

    Cancel the others.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task.done()).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_stopped(work: Coroutine[Any, Any, T]) -> T | None:
    """Return what the work returns, or None if somebody stops it: with Ctrl-C, say."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)

    def stop() -> None:
        task.cancel()
        for number in ENDINGS:  # a second Ctrl-C must not disturb the end
            loop.add_signal_handler(number, lambda: None)

    for number in ENDINGS:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        return None

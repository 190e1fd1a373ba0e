"""The suites' fixtures for commands: Ctrl-C that a process misses is pressed again."""

import asyncio
import sys

import pytest

from steps.fixtures import commands
from steps.fixtures.commands import Command
from steps.grading import Unmet

MISSES = """
import signal
presses = []
signal.signal(signal.SIGINT, lambda *_: presses.append(1))
print("ready", flush=True)
while len(presses) < {presses}:
    signal.pause()
"""


async def missing(presses: int) -> Command:
    """Start a process that ends when Ctrl-C is pressed a number of times."""
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-c", MISSES.format(presses=presses)],
        stdout=asyncio.subprocess.PIPE,
    )
    command = Command(process, [])
    await command.says("(ready)")
    return command


@pytest.mark.parametrize("presses", [1, 2])
async def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, presses: int) -> None:
    """Ctrl-C is pressed once, and once more if nothing happens."""
    command = await missing(presses)
    monkeypatch.setattr(commands, "PATIENCE", 2)
    await command.ends_on_ctrl_c()


async def test_ctrl_c_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that goes on is told, and is not waited for."""
    command = await missing(3)
    monkeypatch.setattr(commands, "PATIENCE", 0.2)
    with pytest.raises(Unmet, match="the exit code 0"):
        await command.ends_on_ctrl_c()
    command.process.kill()
    await command.process.wait()

"""Real terminals: bash on a pseudo-terminal, and a screen that shows what comes.

pexpect runs the shell and pyte is the screen: programs move the cursor, insert lines
and use colours, and what counts is what a person sees in the end.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pyte

from .transcripts import PROMPTS, SHELL

QUIET = 0.7  # seconds without output after which a program has nothing to add
WIDTH = 80
# The screen never wraps or scrolls: a terminal that is resized unwraps lines, too.
SCREEN = (4000, 10_000)
BARE_PROMPTS = {prompt.rstrip() for prompt in PROMPTS.values()}


class Terminal:
    """A terminal with a shell, whose prompt is ``$``."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.screen = pyte.Screen(*SCREEN)
        self.stream = pyte.Stream(self.screen)
        self.shell = pexpect.spawn(
            # Without --noediting, bash would use the terminal to redraw what is typed.
            "bash",
            ["--norc", "--noprofile", "--noediting", "-i"],
            cwd=os.fspath(folder),
            env=environment | {"TERM": "dumb", "PS1": SHELL},
            dimensions=(24, WIDTH),
            encoding="utf-8",
            codec_errors="replace",
        )
        self.typed_on = -1  # the row where something was typed last
        self.seen = 0  # the first row that nobody has looked at
        if not self.wait(self.is_idle, 10):
            raise TimeoutError("bash shows no prompt")

    def is_idle(self) -> bool:
        """Tell whether the shell waits for a command."""
        return (
            self.foreground() == self.shell.pid
            and self.screen.cursor.y > self.typed_on
            # Output that doesn't end its line, such as ^C, stands before the prompt.
            and self.row(self.screen.cursor.y).endswith(SHELL.rstrip())
        )

    def shows_prompt(self, prompt: str) -> bool:
        """Tell whether a program waits at this prompt."""
        number = self.screen.cursor.y
        return number > self.typed_on and self.row(number) == prompt.rstrip()

    def type(self, text: str) -> None:
        """Type a line where the cursor is; what came before it was seen."""
        self.typed_on = self.screen.cursor.y
        self.seen = self.typed_on + 1
        self.shell.sendline(text)

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.shell.sendintr()

    def output(self) -> list[str]:
        """Return the lines that nobody has looked at; a bare prompt is not output."""
        cursor = self.screen.cursor
        lines = [self.row(number) for number in range(self.seen, cursor.y)]
        last = self.row(cursor.y)
        if self.is_idle():
            last = last.removesuffix(SHELL.rstrip())
        if last and last not in BARE_PROMPTS and cursor.y >= self.seen:
            lines.append(last)
        return lines

    def look(self) -> list[str]:
        """Return the lines that nobody has looked at, and look at them."""
        lines = self.output()
        self.seen += len(lines)
        return lines

    def row(self, number: int) -> str:
        cells = self.screen.buffer[number]
        width = max(cells, default=-1) + 1
        return "".join(cells[column].data for column in range(width)).rstrip()

    def wait(self, condition: Callable[[], bool], patience: float) -> bool:
        """Wait until a condition is met; return False when patience is lost."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.receive(0.1)
        return True

    def wait_until_quiet(self, patience: float) -> bool:
        """Wait until nothing comes any more; return False when patience is lost."""
        deadline = time.monotonic() + patience
        while self.receive(QUIET):
            if time.monotonic() > deadline:
                return False
        return True

    def receive(self, seconds: float) -> bool:
        """Show what comes next; return False if nothing comes in these seconds."""
        try:
            self.stream.feed(self.shell.read_nonblocking(65536, timeout=seconds))
        except pexpect.TIMEOUT:
            return False
        except pexpect.EOF:
            raise OSError("the shell of this terminal has ended") from None
        return True

    def close(self) -> None:
        """Close the terminal, which ends what runs in it."""
        if self.shell.isalive() and self.foreground() != self.shell.pid:
            os.killpg(self.foreground(), signal.SIGHUP)
            if not self.wait(lambda: self.foreground() == self.shell.pid, 10):
                os.killpg(self.foreground(), signal.SIGKILL)
        self.shell.close(force=True)

    def foreground(self) -> int:
        """Return the process group that has the terminal."""
        return os.tcgetpgrp(self.shell.child_fd)

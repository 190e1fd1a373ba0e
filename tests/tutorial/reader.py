"""The reader, who follows the instructions, in order, and believes nothing."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from playwright.sync_api import Error as BrowserError

from .browser import Browser
from .document import Fence, Instruction, Part, Solution
from .files import Wrong, code_of, compare_folders, follow
from .terminal import Terminal
from .transcripts import (
    TOKEN,
    Command,
    differences,
    latest_token,
    read_transcript,
    rewritten,
    same,
)

PATIENCE = 60.0  # seconds: how long a command may take
STARTING = 3.0  # seconds: how long an author's server may take to print something

Progress = Callable[[str], None]


class Stuck(AssertionError):
    """The reader cannot go on, at a line of the tutorial."""


class Reader:
    """Someone who sits before terminals and a browser, and has a folder of their own.

    ``outputs`` collects the transcripts as they came. A reader who is ``trusting``
    doesn't compare them with those of the tutorial.
    """

    def __init__(
        self,
        folder: Path,
        environment: dict[str, str],
        browser: Browser,
        progress: Progress,
        trusting: bool = False,
    ) -> None:
        self.folder = folder
        self.environment = environment
        self.browser = browser
        self.progress = progress
        self.trusting = trusting
        self.patience = PATIENCE
        self.outputs: list[tuple[Fence, list[str]]] = []
        self.terminals: dict[int, Terminal] = {}
        self.habits: list[Command] = []  # what is typed in every terminal
        self.token: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for terminal in self.terminals.values():
            terminal.close()

    def read(self, part: Part) -> None:
        """Follow a part; if it is a chapter, compare the result with the step."""
        for action in part.actions:
            if isinstance(action, Solution):
                self.solve(action)
            else:
                self.do(action)
        if part.chapter is not None:
            step = code_of(self.folder, part.chapter)
            if lines := list(compare_folders(self.folder / "mine", step)):
                raise Stuck(
                    f"tutorial.md, line {part.line}: at the end of chapter "
                    f"{part.chapter}, " + "; ".join(lines)
                )

    def solve(self, solution: Solution) -> None:
        """Follow the solution of an exercise on a copy, which is then discarded."""
        scratch = self.folder.with_name(f"{self.folder.name}-scratch")
        shutil.copytree(self.folder, scratch, symlinks=True)
        with Reader(
            scratch, self.environment, self.browser, self.progress, self.trusting
        ) as reader:
            reader.habits = self.habits
            reader.token = self.token
            reader.outputs = self.outputs
            for instruction in solution.instructions:
                reader.do(instruction)
        shutil.rmtree(scratch)

    def do(self, instruction: Instruction) -> None:
        """Follow an instruction; if it cannot be followed, raise Stuck."""
        start = time.monotonic()
        try:
            self.attempt(instruction)
        except (Wrong, OSError, BrowserError) as error:
            where = f"tutorial.md, line {instruction.line}: {instruction}"
            raise Stuck(f"{where}\n{error}") from error
        seconds = time.monotonic() - start
        self.progress(f"{instruction.line:5}  {seconds:5.1f} s  {instruction}")

    def attempt(self, instruction: Instruction) -> None:
        verb, fence = instruction.verb, instruction.fence
        number = instruction.terminal
        match verb:
            case "create" | "replace" | "change" | "copy" | "delete" | "read":
                follow(instruction, self.folder)
            case "press":
                self.interrupt(self.terminal(number, opened=True))
            case "close":
                self.terminal(number, opened=True).close()
                del self.terminals[number]
            case "open" | "type" | "click" | "select" | "check":
                self.browser.do(verb, tuple(map(self.filled_in, instruction.codes)))
            case "paste" if fence:
                self.browser.paste(self.filled_in(fence.content))
            case "look" if fence and fence.language == "text":
                self.look_at_console(fence)
            case "look" if fence:
                self.look(self.terminal(number, opened=True), fence)
            case "in every terminal" if fence:
                commands = read_transcript(fence.content, fence.line + 1)
                for terminal in self.terminals.values():
                    self.run(terminal, commands)
                self.habits += commands
            case "run" | "start" if fence:
                commands = read_transcript(fence.content, fence.line + 1)
                lines = self.run(self.terminal(number), commands, verb == "start")
                self.outputs.append((fence, lines))

    def terminal(self, number: int, opened: bool = False) -> Terminal:
        """Return a terminal; open it first if it isn't yet."""
        if number not in self.terminals:
            if opened:
                raise Wrong("that terminal was not opened yet")
            terminal = Terminal(self.folder, self.environment)
            self.terminals[number] = terminal
            self.run(terminal, self.habits)
        return self.terminals[number]

    def interrupt(self, terminal: Terminal) -> None:
        if terminal.is_idle():
            raise Wrong("nothing runs in that terminal")
        terminal.interrupt()
        if not terminal.wait(terminal.is_idle, self.patience):
            raise Wrong(shown("Ctrl-C did not end it", terminal))

    def run(
        self, terminal: Terminal, commands: list[Command], stays: bool = False
    ) -> list[str]:
        """Type commands; return what the terminal shows, for the tutorial.

        Each must end before the next is typed. The last may be one that ``stays``.
        """
        lines: list[str] = []
        for command in commands:
            if not terminal.is_idle():
                raise Wrong(shown("the shell has no prompt: something runs", terminal))
            exchanges = command.exchanges
            prompts = [exchange.prompt for exchange in exchanges[1:]]
            for exchange, prompt in zip(exchanges, [*prompts, None], strict=True):
                terminal.type(self.filled_in(exchange.typed))
                if prompt is not None:
                    self.await_prompt(terminal, prompt, exchange.output)
                elif stays and command is commands[-1]:
                    self.await_output(terminal, exchange.output)
                    if terminal.is_idle():
                        raise Wrong(shown("it ended, and should run on", terminal))
                elif not terminal.wait(terminal.is_idle, self.patience):
                    raise Wrong(shown(f"it did not end in {self.patience} s", terminal))
                typed = f"{exchange.prompt}{exchange.typed}"
                where = f"typed: {typed} (line {exchange.line})\n"
                came = self.compare(exchange.output, terminal.look(), where)
                lines += [typed, *came]
        return lines

    def look(self, terminal: Terminal, fence: Fence) -> None:
        """Compare what came in a terminal since somebody looked at it."""
        self.await_output(terminal, fence.content.splitlines())
        self.compare_look(fence, terminal.look())

    def look_at_console(self, fence: Fence) -> None:
        """Compare what the browser's console logged since somebody looked at it."""
        came = self.browser.logged(1 if self.trusting else fence.content.count("\n"))
        errors = "".join(f"console error: {error}\n" for error in self.browser.errors)
        self.compare_look(fence, came, errors)

    def await_prompt(
        self, terminal: Terminal, prompt: str, expected: list[str]
    ) -> None:
        """Wait until the program that runs shows its prompt and what is expected."""
        terminal.wait(
            lambda: terminal.shows_prompt(prompt) or terminal.is_idle(), self.patience
        )
        if not terminal.shows_prompt(prompt):
            raise Wrong(shown(f"there is no prompt {prompt!r}", terminal))
        self.await_output(terminal, expected)

    def await_output(self, terminal: Terminal, expected: list[str]) -> None:
        """Wait until what is expected has come, and nothing more comes.

        A trusting reader doesn't know what to expect: any output will do.
        """

        def has_come() -> bool:
            output = terminal.output()
            return bool(output) if self.trusting else same(expected, output)

        patience = min(STARTING, self.patience) if self.trusting else self.patience / 2
        terminal.wait(lambda: has_come() or terminal.is_idle(), patience)
        self.await_quiet(terminal)

    def await_quiet(self, terminal: Terminal) -> None:
        if not terminal.wait_until_quiet(self.patience):
            raise Wrong(shown("it never stops printing", terminal))

    def compare_look(self, fence: Fence, came: list[str], where: str = "") -> None:
        """Compare what came since somebody looked; an author wants to see something."""
        if self.trusting and not came:
            raise Wrong(f"{where}nothing came")
        expected = fence.content.splitlines()
        self.outputs.append((fence, self.compare(expected, came, where)))

    def compare(self, expected: list[str], came: list[str], where: str) -> list[str]:
        """Return what came, as the tutorial should show it.

        If it isn't what is expected, raise Wrong, unless trusting.
        """
        self.token = latest_token(came) or self.token
        if not self.trusting and not same(expected, came):
            raise Wrong(where + differences(expected, came))
        return list(rewritten(expected, came))

    def filled_in(self, typed: str) -> str:
        """Return what is typed, with the reader's token where it belongs."""
        if TOKEN not in typed:
            return typed
        if self.token is None:
            raise Wrong(f"{TOKEN} is to be typed, and no transcript has printed one")
        return typed.replace(TOKEN, self.token)


def shown(complaint: str, terminal: Terminal) -> str:
    return "\n".join([f"{complaint}; the terminal shows:", *terminal.output()])

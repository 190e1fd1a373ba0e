"""What is typed in a terminal, and what comes."""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

# What differs from run to run, and how it is compared. Nothing else is normalised.
TIME = "<a time>"
TOKEN = "<your token>"
ID = "<an id>"
NORMAL = [
    # pytest: "in 0.66s", "in 65.00s (0:01:05)"
    (re.compile(r"(?<=\bin )\d+\.\d\ds( \(\d+:\d\d:\d\d\))?"), TIME),
    # ISO 8601, as in an event: "2026-03-01T12:00:00.123456+00:00"
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"), TIME),
    # runserver: "March 01, 2026 - 12:00:00", "[01/Mar/2026 12:00:00]"
    (re.compile(r"[A-Z][a-z]+ \d\d, \d{4} - \d\d:\d\d:\d\d"), TIME),
    (re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4} \d\d:\d\d:\d\d"), TIME),
    # redis-cli: "(1.20s)"
    (re.compile(r"(?<=\()\d+\.\d\ds(?=\))"), TIME),
    # the entries of a stream: "1795545888431-0"
    (re.compile(r"\b1\d{12}-\d+\b"), ID),
    # django-sesame's tokens of the first sixteen million users
    (re.compile(r"\bAAAA[\w-]{20,}"), TOKEN),
    # free ports, which are above 32767: "ws://localhost:40123/"
    (re.compile(r"(?<=\blocalhost:|127\.0\.0\.1:)(3[2-9]|[4-6]\d)\d{3}\b"), "<a port>"),
]
A_TOKEN = NORMAL[-2][0]

SHELL = "$ "
# The prompts of the programs that are talked to, and the commands that show them.
PROMPTS = {
    r"\bwebsockets\b": "> ",
    r"\bredis-cli\b": "127.0.0.1:6379> ",
    r"\bpython[\d.]*( -q)?$|\bdjango shell$": ">>> ",
}


@dataclass
class Exchange:
    """A line that is typed at a prompt, and the lines that come."""

    line: int
    prompt: str
    typed: str
    output: list[str] = field(default_factory=list)


@dataclass
class Command:
    """A command, what comes, and what is typed to the program that it runs."""

    shell: Exchange
    answers: list[Exchange] = field(default_factory=list)

    @property
    def exchanges(self) -> list[Exchange]:
        return [self.shell, *self.answers]


def read_transcript(content: str, line: int) -> list[Command]:
    """Return the commands of a transcript, whose content starts on this line."""
    commands: list[Command] = []
    for number, text in enumerate(content.splitlines(), line):
        if text.startswith(SHELL):
            exchange = Exchange(number, SHELL, text.removeprefix(SHELL))
            commands.append(Command(exchange))
            prompt = prompt_of(exchange.typed)
        elif prompt is not None and text.startswith(prompt):
            exchange = Exchange(number, prompt, text.removeprefix(prompt))
            commands[-1].answers.append(exchange)
        else:
            exchange.output.append(text)
    return commands


def prompt_of(command: str) -> str | None:
    """Return the prompt that the program of this command shows, if it shows one."""
    for pattern, prompt in PROMPTS.items():
        if re.search(pattern, command):
            return prompt
    return None


def normal(line: str) -> str:
    """Return a line with what differs from run to run replaced by what it is."""
    for pattern, name in NORMAL:
        line = pattern.sub(name, line)
    return line.rstrip()


def same(expected: Iterable[str], actual: Iterable[str]) -> bool:
    return [normal(line) for line in expected] == [normal(line) for line in actual]


def differences(expected: Iterable[str], actual: Iterable[str]) -> str:
    """Return a diff from what the tutorial shows to what came."""
    lines = difflib.unified_diff(
        [normal(line) for line in expected],
        [normal(line) for line in actual],
        "what the tutorial shows",
        "what came",
        lineterm="",
        n=1000,
    )
    return "\n".join(lines)


def latest_token(lines: Iterable[str]) -> str | None:
    """Return the last token in these lines, if there is one."""
    tokens = [match[0] for line in lines for match in A_TOKEN.finditer(line)]
    return tokens[-1] if tokens else None


def rewritten(expected: list[str], actual: list[str]) -> Iterator[str]:
    """Yield what came, as the tutorial should show it.

    A line that differs in nothing but a time or a port stays as it is.
    """
    matcher = difflib.SequenceMatcher(
        None, [normal(line) for line in expected], [normal(line) for line in actual]
    )
    for tag, start, end, actual_start, actual_end in matcher.get_opcodes():
        if tag == "equal":
            yield from expected[start:end]
        else:
            for line in actual[actual_start:actual_end]:
                yield A_TOKEN.sub(TOKEN, line).rstrip()

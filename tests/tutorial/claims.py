"""What must be true of the tutorial, and can be checked without running anything.

Each claim is a function that yields what is wrong, and on which line.
"""

import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .document import Fault, Instruction, Part, Solution
from .files import Wrong, code_of, compare_folders, follow
from .pages import Claim, Page
from .transcripts import Command, Exchange, read_transcript

# The rhythm of a chapter: its headings, in this order.
RHYTHM = [
    "What you will have",
    "The suite",
    "Red",
    "Green",
    "See it",
    "Refactor",
    "What we learned",
    "Exercise",
]

# A chapter that is too long for an hour is split, and its parts have the rhythm.
SITTING = re.compile(r"\w+ sitting: ")

# What is different on the next machine, and does not belong in a transcript.
FRAGILE = re.compile(r"/tmp/\S*|/home/\S*|site-packages\S*|\b0x[0-9a-f]{6,}\b")
SOURCE = re.compile(r"\b[\w/]+\.(?:py|js)\b")

SUITE_RUN = re.compile(r"pytest\b(?!.*( -k |::)).*--code mine\b")
GREEN = re.compile(r"^\d+ passed(?!.*(failed|error))")


def everything_is_claimed(page: Page) -> Iterator[Fault]:
    """Every fenced block has an instruction, and every instruction can be followed."""
    yield from page.document.faults


def listings_make_the_steps(page: Page) -> Iterator[Fault]:
    """The files of each chapter, written as it says, are those of its step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for entry in page.root.iterdir():
            if entry.name != "mine":
                (folder / entry.name).symlink_to(entry)
        shutil.copytree(page.root / "steps" / "00", folder / "mine")
        for part in page.document.parts:
            for action in part.actions:
                if isinstance(action, Solution):
                    yield from rehearsed(action, folder)
                else:
                    yield from written(action, folder)
            if part.chapter is not None and part.chapter in steps(page.root):
                step = code_of(page.root, part.chapter)
                for difference in compare_folders(folder / "mine", step):
                    yield Fault(part.line, f"chapter {part.chapter}: {difference}")


def written(instruction: Instruction, folder: Path) -> Iterator[Fault]:
    """Follow an instruction about files; what is to be copied, copy."""
    if instruction.verb == "run" and instruction.fence:
        for line in instruction.fence.content.splitlines():
            if line.startswith("$ cp -rn "):
                subprocess.run(shlex.split(line.removeprefix("$ ")), cwd=folder)
    if instruction.verb in {"create", "replace", "change", "copy", "delete", "read"}:
        try:
            follow(instruction, folder)
        except Wrong as error:
            yield Fault(instruction.line, f"{instruction} {error}")


def rehearsed(solution: Solution, folder: Path) -> Iterator[Fault]:
    """Write the files of a solution, then put back what was there."""
    before = folder / "before"
    shutil.copytree(folder / "mine", before)
    for instruction in solution.instructions:
        yield from written(instruction, folder)
    shutil.rmtree(folder / "mine")
    before.rename(folder / "mine")


def chapters_and_steps_match(page: Page) -> Iterator[Fault]:
    """Every step has its chapter, every chapter its step, in order."""
    chapters = [part.chapter for part in page.document.parts if part.chapter]
    if chapters != steps(page.root):
        yield Fault(1, f"the chapters are {chapters}, the steps {steps(page.root)}")


def steps(root: Path) -> list[str]:
    found = (root / "steps").glob("[0-9][0-9]")
    return sorted(folder.name for folder in found if folder.name != "00")


def chapters_keep_the_rhythm(page: Page) -> Iterator[Fault]:
    """Every chapter has the same sections, in the same order.

    So has every sitting of a chapter that is split, but for the exercise: that is last.
    """
    for part in page.document.parts:
        if part.chapter is None:
            continue
        sittings = split_into_sittings(part)
        for number, (line, sections) in enumerate(sittings, 1):
            expected = RHYTHM if number == len(sittings) else RHYTHM[:-1]
            if sections != expected:
                yield Fault(line, f"the sections are {sections}, not {expected}")


def split_into_sittings(part: Part) -> list[tuple[int, list[str]]]:
    """Return where the sittings of a chapter begin, and the sections of each."""
    headings = [heading for heading in part.headings if heading.level in {3, 4}]
    level = 4 if headings and SITTING.match(headings[0].text) else 3
    sittings: list[tuple[int, list[str]]] = [(part.line, [])] if level == 3 else []
    for heading in headings:
        if heading.level < level:
            sittings.append((heading.line, []))
        elif heading.level == level:
            sittings[-1][1].append(heading.text)
    return sittings


def suites_end_green(page: Page) -> Iterator[Fault]:
    """The last run of a chapter's suite on the reader's code passes."""
    for part in page.document.parts:
        if part.chapter is None:
            continue
        runs = [run for run in suite_runs(part) if f"/{part.chapter} " in run.typed]
        if not runs:
            yield Fault(part.line, f"chapter {part.chapter} never runs its suite")
        elif not GREEN.match("".join(runs[-1].output[-1:])):
            complaint = f"suite {part.chapter} does not end green: {runs[-1].typed}"
            yield Fault(runs[-1].line, complaint)


def suite_runs(part: Part) -> Iterator[Exchange]:
    """Yield the runs of whole suites on the reader's code."""
    for instruction in part.actions:
        if isinstance(instruction, Instruction) and instruction.verb == "run":
            for command in transcript(instruction):
                if SUITE_RUN.match(command.shell.typed):
                    yield command.shell


def transcript(instruction: Instruction) -> list[Command]:
    fence = instruction.fence
    return read_transcript(fence.content, fence.line + 1) if fence else []


def transcripts_travel(page: Page) -> Iterator[Fault]:
    """Transcripts show something, and nothing that belongs to one machine."""
    for instruction in page.document.instructions:
        fence = instruction.fence
        if fence is None or fence.language not in {"console", "text"}:
            continue
        if not fence.content:
            yield Fault(fence.line, "there is nothing to look at")
        for line, text in enumerate(fence.content.splitlines(), fence.line + 1):
            if match := FRAGILE.search(text):
                yield Fault(line, f"{match[0]} is different on the next machine")


def diagrams_are_true(page: Page) -> Iterator[Fault]:
    """The files that a diagram names are in final/realtime."""
    for fence in page.document.diagrams:
        for line, text in enumerate(fence.content.splitlines(), fence.line + 1):
            for name in SOURCE.findall(text):
                if not list((page.root / "final" / "realtime").rglob(name)):
                    yield Fault(line, f"there is no {name} in final/realtime")


ABOUT_THE_TUTORIAL: list[Claim] = [
    everything_is_claimed,
    listings_make_the_steps,
    chapters_and_steps_match,
    chapters_keep_the_rhythm,
    suites_end_green,
    transcripts_travel,
    diagrams_are_true,
]

"""Walk through tutorial.md, and write what really came into its transcripts.

The program follows the instructions of the tutorial on a copy of the repository, in
real terminals and a real browser, as `make test` does. With --write, it doesn't
compare: what the terminals and the browser's console show replaces what the fenced
blocks of the tutorial show, so that no output is ever typed by hand. What is typed
(`$ …` and `> …`) stays, and so does a line that differs in nothing but a time, a
token or a free port. Write the commands, leave the outputs out, run this, and read
what changed with `git diff tutorial.md`.

If an instruction cannot be followed (a file that is missing, a command that doesn't
end, a button that isn't there), it says where and ends with 1; outputs up to there
are written nevertheless.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from .browser import Browser
from .document import Fence, read_document
from .files import Wrong
from .reader import Reader, Stuck
from .surroundings import ROOT, copy_repository, environment, surroundings


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.tutorial",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write what came into the tutorial (default: compare, change nothing)",
    )
    parser.add_argument(
        "--to", metavar="NN", help="stop after this chapter (default: the last one)"
    )
    parser.add_argument(
        "tutorial",
        nargs="?",
        type=Path,
        default=ROOT / "tutorial.md",
        help="the tutorial (default: tutorial.md of this repository)",
    )
    options = parser.parse_args()
    try:
        return walk(options.tutorial, options.write, options.to)
    except Wrong as error:
        print(error, file=sys.stderr)
        return 1


def walk(tutorial: Path, write: bool, last: str | None) -> int:
    text = tutorial.read_text(encoding="utf-8")
    document = read_document(text)
    for line, complaint in document.faults:
        print(f"{tutorial.name}, line {line}: {complaint}", file=sys.stderr)
    if document.faults:
        return 1
    chapters = [part.chapter for part in document.parts]
    if last is not None and last not in chapters:
        raise Wrong(f"there is no chapter {last} in {tutorial.name}")
    parts = document.parts[: chapters.index(last) + 1 if last else None]
    with (
        tempfile.TemporaryDirectory() as folder,
        surroundings(),
        Browser() as browser,
        Reader(
            copy_repository(Path(folder)), environment(), browser, print, trusting=write
        ) as reader,
    ):
        try:
            for part in parts:
                print(f"## {part.title}")
                reader.read(part)
        except Stuck as stuck:
            print(stuck, file=sys.stderr)
            return 1
        finally:
            if write:
                write_down(tutorial, text, revised(text, reader.outputs))
    return 0


def write_down(tutorial: Path, before: str, after: str) -> None:
    """Write the outputs into the tutorial, which somebody may have edited since."""
    with tempfile.TemporaryDirectory() as name:
        versions = Path(name, "before.md"), Path(name, "after.md")
        for version, text in zip(versions, [before, after], strict=True):
            version.write_text(text, encoding="utf-8")
        merge = subprocess.run(["git", "merge-file", tutorial, *versions])
    if merge.returncode:
        print(
            f"{tutorial.name} was edited where outputs came: see the conflict markers"
        )


def revised(text: str, outputs: list[tuple[Fence, list[str]]]) -> str:
    """Return the tutorial with what came in its fenced blocks."""
    lines = text.split("\n")
    for fence, came in sorted(outputs, key=lambda output: -output[0].line):
        opening = lines[fence.line - 1]
        indentation = opening[: opening.index("`")]
        end = fence.line + len(fence.content.splitlines())
        lines[fence.line : end] = [f"{indentation}{line}".rstrip() for line in came]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())

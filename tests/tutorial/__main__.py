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
                tutorial.write_text(revised(text, reader.outputs), encoding="utf-8")
    return 0


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

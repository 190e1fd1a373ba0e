"""What the reader does to files: create, replace, change, copy, delete, read them."""

import filecmp
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from .document import Instruction

HUNK = re.compile(r"^@@.*\n", re.MULTILINE)
CODE = {"settings.py", "urls.py", "realtime"}
CACHES = {"__pycache__", ".pytest_cache"}


class Wrong(AssertionError):
    """An instruction that cannot be followed as it is written."""


def follow(instruction: Instruction, folder: Path) -> None:
    """
    Do what an instruction about a file says, in the reader's folder.

    If it cannot be done, raise Wrong.

    """
    copied, name = "", instruction.codes[0]
    if instruction.verb == "copy":
        copied, name = instruction.codes
    file = folder / name
    if instruction.verb != "read" and not re.match(r"mine/(?!.*\.\./)", name):
        raise Wrong(f"{name} is not in mine/, the only folder where readers write")
    if instruction.verb in {"create", "copy"} and file.exists():
        raise Wrong(f"{name} exists already: is it to be replaced?")
    if instruction.verb not in {"create", "copy"} and not file.is_file():
        raise Wrong(f"there is no file {name}")
    if copied and not (folder / copied).is_file():
        raise Wrong(f"there is no file {copied}")
    content = instruction.fence.content if instruction.fence else ""
    match instruction.verb:
        case "create" | "replace":
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        case "change":
            text = file.read_text(encoding="utf-8")
            file.write_text(changed(text, content, name), encoding="utf-8")
        case "copy":
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / copied, file)
        case "delete":
            file.unlink()
        case "read":
            check_excerpt(file.read_text(encoding="utf-8"), content, name)


def changed(text: str, diff: str, name: str) -> str:
    """
    Return a text to which the hunks of a diff were applied.

    A hunk says where it belongs by its old lines, which must occur exactly once. If
    they don't, raise Wrong.

    """
    for hunk in HUNK.split(diff):
        old, new = sides(hunk)
        if old == new:
            raise Wrong(f"a hunk of the diff changes nothing:\n{hunk}")
        match ("\n" + text).count("\n" + old) if old else 0:
            case 0:
                raise Wrong(f"{name} has no such lines:\n{old}")
            case 1:
                text = ("\n" + text).replace("\n" + old, "\n" + new, 1)[1:]
            case count:
                raise Wrong(f"{name} has these lines {count} times:\n{old}")
    return text


def sides(hunk: str) -> tuple[str, str]:
    """Return the old and the new lines of a hunk."""
    old = new = ""
    for line in hunk.splitlines(keepends=True):
        mark, rest = line[0], line[1:]
        if mark == "\n":  # an empty line, whose mark an editor took off
            rest = mark
        elif mark not in " +-":
            raise Wrong(f"a line of the diff starts with neither ' ', + nor -: {line}")
        if mark != "+":
            old += rest
        if mark != "-":
            new += rest
    return old, new


def check_excerpt(text: str, excerpt: str, name: str) -> None:
    """If an excerpt isn't a verbatim part of a text, raise Wrong."""
    if "\n" + excerpt not in "\n" + text:
        lines = set(text.splitlines())
        strange = [line for line in excerpt.splitlines() if line not in lines]
        what = (
            f"it has no line {strange[0]!r}" if strange else "its lines do not adjoin"
        )
        raise Wrong(f"this is no excerpt of {name}: {what}")


def code_of(root: Path, chapter: str) -> Path:
    """Return the code folder of a chapter; that of the last one is ``final``."""
    step = root / "steps" / chapter
    return step if (step / "settings.py").exists() else root / "final"


def compare_folders(mine: Path, step: Path) -> Iterator[str]:
    """Yield what keeps the reader's folder from being the code of a step."""
    ours = files(mine)
    theirs = {name for name in files(step) if name.split("/")[0] in CODE}
    for name in sorted(ours | theirs):
        if name not in theirs:
            yield f"{mine.name}/{name} should not be there"
        elif name not in ours:
            yield f"{mine.name}/{name} is missing"
        elif not filecmp.cmp(mine / name, step / name, shallow=False):
            yield f"{mine.name}/{name} differs from that of step {step.name}"


def files(folder: Path) -> set[str]:
    """Return the names of the files of a folder, caches aside."""
    return {
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file() and not CACHES & set(file.parts)
    }

"""Mistakes that learners make, and the tests that tell them.

A mistake is a patch of the code of a step. Lines before the patch say what is wrong,
which test must fail, and, one by one, words that its failure must contain:

    Mistake: the handler goes on after it refused a client.
    Caught by: steps/01/test_who_is_there.py::test_refusal_is_the_end
    Says: no error in the server's log
    Says: connection handler failed

The name of the file begins with the number of the step. What scripts do in the page is
seen by tests in a browser only. They are ours: their failures explain nothing.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.forks import run_pytest

ROOT = Path(__file__).parent.parent.parent
FILES = sorted(Path(__file__).parent.glob("*.patch"))
EXPLANATION = re.compile(
    r"^Asked: .*?^Read: +chapter \d\d of tutorial.md$", re.M | re.S
)


class Mistake(NamedTuple):
    """A patch, and what its lines before the patch say."""

    patch: Path
    caught_by: str
    words: list[str]

    @property
    def step(self) -> str:
        """The number of the step whose code is patched."""
        return self.patch.name[:2]

    @property
    def is_in_a_script(self) -> bool:
        """Whether it takes a browser to see it."""
        return self.caught_by.startswith("tests/test_browser.py::")

    @property
    def chapter(self) -> str:
        """The chapter that explains the behaviour that is missed."""
        return f"chapter {Path(self.caught_by).parts[1]}"


def read(patch: Path) -> Mistake:
    """Read a patch; raise ValueError if it doesn't say what it must."""
    said: dict[str, list[str]] = {}
    for line in patch.read_text().partition("\n--- ")[0].splitlines():
        label, _, text = line.partition(": ")
        said.setdefault(label, []).append(text)
    for label in ["Mistake", "Caught by", "Says"]:
        if label not in said:
            raise ValueError(f"{patch.name} has no line '{label}: …'")
    [caught_by] = said["Caught by"]
    return Mistake(patch, caught_by, said["Says"])


def make(mistake: Mistake, folder: Path) -> None:
    """Copy the code of the step to a folder, and make the mistake in it.

    A step that has none grades final/. Raise ValueError if the patch doesn't apply.
    """
    step = ROOT / "steps" / mistake.step
    if not (step / "settings.py").exists():
        step = ROOT / "final"
    shutil.copytree(
        step,
        folder,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("test_*", "__pycache__"),
    )
    process = subprocess.run(
        ["git", "apply", mistake.patch],
        cwd=folder,
        env=os.environ | {"GIT_CEILING_DIRECTORIES": str(folder.parent)},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        complaint = process.stderr.strip()
        where = step.relative_to(ROOT)
        raise ValueError(f"{mistake.patch.name} does not apply to {where}: {complaint}")


def grade(mistake: Mistake, folder: Path) -> str:
    """Make the mistake in a folder; return how the test explains that it fails.

    Raise ValueError if it doesn't fail, or explains nothing though it should.
    """
    make(mistake, folder)
    options = ["-p", "no:cacheprovider", f"--code={folder}"]
    ended = run_pytest(ROOT, *options, mistake.caught_by)
    said = ended.stdout + ended.stderr
    name, test = mistake.patch.name, mistake.caught_by
    if not re.search(rf"FAILED {re.escape(test)}[ \[]", said):
        raise ValueError(f"{name} is not caught by {test}: {said}")
    if mistake.is_in_a_script:
        return said
    if (explanation := EXPLANATION.search(said)) is None:
        raise ValueError(f"{name} is caught by {test}, but not explained: {said}")
    return explanation[0]

"""Check the types of all code.

One folder after the other, as they share what mypy remembers of everything else.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parent.parent


def folders(root: Path) -> list[str]:
    """Return the code folders that have code, in the order of the road."""
    steps = sorted(root.glob("steps/[0-9]*/realtime/server.py"))
    return [*(f"steps/{file.parts[-3]}" for file in steps), "final"]


def types(root: Path, folder: str) -> str:
    """Return what mypy complains about in the app and the settings of a folder."""
    return mypy(root, folder, "-p", "realtime", "-m", "settings")


def types_of_tools(root: Path) -> str:
    """Return what mypy complains about in the site, and in the tools for the steps."""
    places = ["django_site", "steps", "tests"]
    paths = [path for place in places for path in root.glob(f"{place}/**/*.py")]
    files = [path.relative_to(root) for path in paths]
    tools = [
        str(file)
        for file in files
        if not file.parts[1].isdigit() and not file.name.startswith("test_")
    ]
    return mypy(root, "final", "--explicit-package-bases", *tools)


def mypy(root: Path, folder: str, *args: str) -> str:
    """Run mypy with a code folder on the path; return its complaints."""
    process = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", *args],
        cwd=root,
        # django-stubs imports the settings
        env=os.environ | {"MYPYPATH": folder, "PYTHONPATH": folder},
        capture_output=True,
        text=True,
    )
    return process.stdout + process.stderr


def checks(root: Path) -> dict[str, Callable[[], str]]:
    """Return all checks by name. Each returns its complaint, or an empty string."""
    checks: dict[str, Callable[[], str]] = {
        f"types of {folder}": partial(types, root, folder) for folder in folders(root)
    }
    checks["types of the site and the tools"] = partial(types_of_tools, root)
    return checks


def main() -> int:
    """Check, tell each result when it is known, then the complaints."""
    console = Console(highlight=False, soft_wrap=True)
    complaints: dict[str, str] = {}
    with console.status("checking …"):
        for name, check in checks(ROOT).items():
            complaint = check()
            console.print("✗" if complaint else "✓", name)
            if complaint:
                complaints[name] = complaint
    for name, complaint in complaints.items():
        console.print(f"\n✗ {name}", style="bold red")
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

"""Check the types of all code, and that the suites run every line of each step."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).parent.parent
PUBSUB = "realtime.pubsub.PubSubBus"  # from step 09 on, the bus that is not the default


def folders(root: Path) -> list[str]:
    """Return the code folders that have code, in the order of the road."""
    steps = sorted(root.glob("steps/[0-9]*/realtime/server.py"))
    return [*(f"steps/{file.parts[-3]}" for file in steps), "final"]


def types(root: Path, folder: str) -> str:
    """Return what mypy complains about in the app and the settings of a folder."""
    return mypy(root, folder, folder, "-p", "realtime", "-m", "settings")


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
    return mypy(root, "final", "tools", "--explicit-package-bases", *tools)


def mypy(root: Path, folder: str, cache: str, *args: str) -> str:
    """Run mypy with a code folder on the path; return its complaints."""
    process = run(
        [*["mypy", "--no-error-summary", "--cache-dir", f".mypy_cache/{cache}"], *args],
        root,
        MYPYPATH=folder,
        PYTHONPATH=folder,  # django-stubs imports the settings
    )
    return process.stdout + process.stderr


def coverage(root: Path, folder: str) -> str:
    """Return which lines of an app the suites up to it don't run, or why they fail.

    Where an app can use two buses, its suites run on both.
    """
    suites = sorted({file.parent.name for file in root.glob("steps/[0-9]*/test_*.py")})
    # Digits sort before letters: "10" < "final".
    road = [f"steps/{suite}" for suite in suites if suite <= Path(folder).name]
    pytest = ["-m", "pytest", "-p", "no:cacheprovider", "--code", folder, *road]
    run_suites = ["run", "--source", f"{folder}/realtime", *pytest]
    two_buses = (root / folder / "realtime/pubsub.py").exists()
    with tempfile.TemporaryDirectory() as temporary:
        file = f"{temporary}/coverage"
        for command in [
            run_suites,
            *([[*run_suites, "--bus", PUBSUB]] if two_buses else []),
            ["combine"],
            ["report"],
        ]:
            process = run(["coverage", *command], root, COVERAGE_FILE=file)
            if process.returncode:
                return process.stdout + process.stderr
    return ""


def run(
    command: list[str], root: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a module of Python, with none of the environment that pytest sets."""
    inherited = {
        name: value for name, value in os.environ.items() if "PYTEST" not in name
    }
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=root,
        env=inherited | environment,
        capture_output=True,
        text=True,
    )


def checks(root: Path) -> dict[str, Callable[[], str]]:
    """Return all checks by name. Each returns its complaint, or an empty string."""
    checks: dict[str, Callable[[], str]] = {}
    for folder in folders(root):
        checks[f"coverage of {folder}"] = partial(coverage, root, folder)
        checks[f"types of {folder}"] = partial(types, root, folder)
    checks["types of the site and the tools"] = partial(types_of_tools, root)
    return checks


def main() -> int:
    """Check on all cores, tell each result when it is known, then the complaints."""
    console = Console(highlight=False, soft_wrap=True)
    complaints: dict[str, str] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool, console.status("checking …"):
        names = {pool.submit(check): name for name, check in checks(ROOT).items()}
        for future in as_completed(names):
            name, complaint = names[future], future.result()
            console.print("✗" if complaint else "✓", name)
            if complaint:
                complaints[name] = complaint
    for name, complaint in complaints.items():
        console.print(f"\n✗ {name}", style="bold red")
        print(complaint)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())

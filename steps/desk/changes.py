"""Show what a chapter changes: the code, and what its suite asks for."""

import ast
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

from django.core.management.color import color_style

from .folders import code, code_before, files, shown, suite


def show(step: str) -> None:
    """Print the differences between the code of a step and of the one before."""
    style = color_style()
    paint = {"+": style.SUCCESS, "-": style.ERROR, "@": style.MIGRATE_LABEL}
    for line in differences(code_before(step), code(step)):
        print(paint.get(line[0], str)(line))
    for file in suite(step):
        print(f"\nThe suite, {shown(file)}, asks for this:\n")
        tests = dict(tests_of(file))
        width = max(map(len, tests), default=0)
        for name, sentence in tests.items():
            print(f"  {name:{width}}  {sentence}".rstrip())


def differences(before: Path, after: Path) -> Iterator[str]:
    """Yield the lines of a unified diff of two code folders."""
    for name in sorted(files(before) | files(after)):
        old, new = before / name, after / name
        yield from unified_diff(
            old.read_text().splitlines() if old.exists() else [],
            new.read_text().splitlines() if new.exists() else [],
            shown(old) if old.exists() else "/dev/null",
            shown(new) if new.exists() else "/dev/null",
            lineterm="",
        )


def tests_of(suite: Path) -> Iterator[tuple[str, str]]:
    """Yield the name of each test in a file, and the sentence that describes it."""
    for node in ast.parse(suite.read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if name.startswith("test_"):
                    yield name, (ast.get_docstring(node) or "").partition("\n")[0]

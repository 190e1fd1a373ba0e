"""Take the picture of the demo that README.md shows."""

import argparse
import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from .folder import ROOT
from .screen import WIDTH

COMMAND = "make demo AUTO=1"
TERMINAL = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": f"{WIDTH}"}
THEME = TerminalTheme(
    background=(24, 27, 36),
    foreground=(222, 226, 235),
    normal=[
        (24, 27, 36),  # black
        (255, 107, 107),  # red
        (126, 211, 96),  # green
        (242, 200, 109),  # yellow
        (122, 162, 255),  # blue
        (208, 148, 242),  # magenta
        (92, 203, 232),  # cyan
        (222, 226, 235),  # white
    ],
)


def main() -> None:
    """Run the demo by itself, and draw the terminal in which it ran."""
    parser = argparse.ArgumentParser(
        prog="python -m steps.demo.picture", description=__doc__
    )
    parser.add_argument("folder", type=Path, help="where to put demo.svg")
    folder = parser.parse_args().folder
    process = run()
    if process.returncode:
        sys.exit("The demo did not go well, so that no picture was taken.")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "demo.svg").write_text(drawn(process.stdout))


def run() -> subprocess.CompletedProcess[str]:
    """Run the demo as in a terminal, whatever the one is like where we run."""
    hidden = {"NO_COLOR", "COLORTERM", "REDIS_URL"}
    environment = {name: os.environ[name] for name in os.environ.keys() - hidden}
    return subprocess.run(
        [sys.executable, "-m", "steps.demo", "--auto"],
        cwd=ROOT,
        env=environment | TERMINAL,
        stdout=subprocess.PIPE,
        text=True,
    )


def drawn(output: str) -> str:
    """Return an SVG picture of a terminal in which the command had this output."""
    terminal = Console(file=io.StringIO(), width=WIDTH, record=True)
    terminal.print(Text.assemble(("$ ", "dim"), (COMMAND, "bold")))
    terminal.print(Text.from_ansi(output))
    picture = terminal.export_svg(title=COMMAND, theme=THEME, unique_id="demo")
    # A picture within a page may not load fonts.
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)


if __name__ == "__main__":
    main()

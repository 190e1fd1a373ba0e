"""``python -m steps.desk`` is what ``make start``, ``make progress`` … run."""

import argparse
import signal
import sys

from . import changes, mine, progress, watching
from .folders import Misuse, require_mine, steps
from .standing import Ungradable

DESCRIPTION = """
The learner's desk. Your code lives in mine/, a folder of your own. These commands lay
it out, tell how far it has come, and help you along. `make` has a verb for each:

  make start             lay out mine/ for chapter 01
  make progress          which steps your code passes, and what is next
  make watch             run the current suite whenever you save a file
  make catch-up STEP=03  put mine/ where a chapter starts, and keep what you have
  make diff STEP=03      what a chapter changes
"""

START = """
Lay out mine/, the folder for your own code, and say what to do next. If it is there
already, it is left alone.
"""

PROGRESS = """
Grade mine/ with all suites, each until its first failure. Show which steps are green,
the first that isn't, why its test fails, and which chapter to read.
"""

WATCH = """
Show the progress, then run the suite of the first step that isn't green whenever a file
in mine/ changes, until its first failure. When it is green, go on with the next step.
End when every step is green, or on Ctrl-C.
"""

CATCH_UP = """
Put mine/ where a chapter starts: it will equal the code at the end of the step before.
What is in mine/ now is kept, in a folder mine-before-catch-up-… beside it. Asks first.
"""

DIFF = """
Show what a chapter changes in the code, as a unified diff of the step before and this
one, and what the tests of its suite ask for. This gives the chapter's solution away.
"""


def main() -> int:
    """Run a command of the desk; return its exit code."""
    parser = command_line()
    args = parser.parse_args()
    try:
        match args.command:
            case "start":
                mine.start()
            case "progress":
                require_mine()
                progress.show()
            case "watch":
                require_mine()
                watching.run()
            case "catch-up":
                mine.catch_up(number(args), yes=args.yes)
            case "diff":
                changes.show(number(args))
            case _:
                parser.print_help()
    except Misuse as misuse:
        print(misuse, file=sys.stderr)
        return 2
    except Ungradable as ungradable:
        print(ungradable, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
    return 0


def command_line() -> argparse.ArgumentParser:
    """Return what understands the command line, and explains it."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m steps.desk", description=DESCRIPTION, formatter_class=layout
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, description in [
        ("start", START),
        ("progress", PROGRESS),
        ("watch", WATCH),
        ("catch-up", CATCH_UP),
        ("diff", DIFF),
    ]:
        command = commands.add_parser(
            name, description=description, formatter_class=layout
        )
        if name in {"catch-up", "diff"}:
            command.add_argument("step", nargs="?", help="its number, such as 03")
        if name == "catch-up":
            command.add_argument("--yes", action="store_true", help="don't ask")
    return parser


def number(args: argparse.Namespace) -> str:
    """Return the number of the step that the command line names."""
    known = f"the steps are {steps()[0]} to {steps()[-1]}"
    if not args.step:
        raise Misuse(f"Which step? Say `make {args.command} STEP=03`, say: {known}.")
    step: str = args.step.zfill(2)
    if step not in steps():
        raise Misuse(f"There is no step {args.step!r}: {known}.")
    return step


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # such as in `… diff 03 | head`
    sys.exit(main())

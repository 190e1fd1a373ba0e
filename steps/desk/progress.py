"""Show which steps are green on mine/, and what is next."""

import sys
from textwrap import indent

from django.core.management.color import color_style

from .folders import steps, title
from .standing import Standing, find_standing

NEXT = """
Next is step {step}: read chapter {step} of tutorial.md. {test} fails:

{told}

To run its suite, now or whenever you save a file:

  pytest {arguments} --code mine
  make watch"""

THE_END = """
Every step is green: your code does all that the tutorial asks for. What you can do now:

  make demo CODE=mine   run it, with a site and users
  diff -r mine final    compare it with final/, which is ready to be copied
  README.md             how to copy it into a project of your own"""


ERASE_LINE = "\r\x1b[K"


def show() -> Standing:
    """Print which steps are green on mine/ and what is next; return the standing."""
    at_a_terminal = sys.stdout.isatty()
    standing = find_standing(tell if at_a_terminal else lambda test: None)
    if at_a_terminal:
        print(end=ERASE_LINE)
    style = color_style()
    for step in steps():
        if step == standing.current:
            mark = style.ERROR(f"✗ {step}")
        elif step in standing.failed:
            mark = f"· {step}"
        else:
            mark = style.SUCCESS(f"✓ {step}")
        print(f"{mark}  {title(step)}")
    if standing.current:
        test, told = standing.failed[standing.current]
        print(
            NEXT.format(
                step=standing.current,
                test=test.partition("::")[2],
                told=indent("\n".join(told), "  "),
                arguments=" ".join(standing.arguments),
            )
        )
    else:
        print(THE_END)
    return standing


def tell(test: str) -> None:
    """Say which suite is running, in a line that the next one overwrites."""
    suite = test.partition("::")[0]
    print(f"{ERASE_LINE}Running {suite} …", end="", flush=True)

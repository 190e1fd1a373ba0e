"""The tutorial, without running anything: claims about the pages, which notice lies."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests import sample
from tests.tutorial.claims import (
    ABOUT_THE_TUTORIAL,
    RHYTHM,
    chapters_keep_the_rhythm,
)
from tests.tutorial.document import read_document
from tests.tutorial.files import Wrong, changed, follow
from tests.tutorial.pages import (
    ABOUT_PAGES,
    Claim,
    Page,
    complaints,
    pages,
    pictures_are_used,
)
from tests.tutorial.surroundings import ROOT

TUTORIAL = Page(ROOT, "tutorial.md")


def name(value: object) -> str | None:
    """Return what a parameter is called in the name of a test."""
    if isinstance(value, Page):
        return value.name
    return getattr(value, "__name__", None)


def expect_none(complaints: Iterable[str]) -> None:
    """If there are complaints, fail, and list them all."""
    if lines := list(complaints):
        pytest.fail("\n".join(lines), pytrace=False)


@pytest.mark.parametrize("claim", ABOUT_PAGES, ids=name)
@pytest.mark.parametrize("page", pages(ROOT), ids=name)
def test_page(page: Page, claim: Claim) -> None:
    """The claim is true of the page."""
    expect_none(complaints(page, claim))


@pytest.mark.parametrize("claim", ABOUT_THE_TUTORIAL, ids=name)
def test_tutorial(claim: Claim) -> None:
    """The claim is true of the tutorial."""
    expect_none(complaints(TUTORIAL, claim))


def test_pictures() -> None:
    """Every picture is on a page."""
    expect_none(pictures_are_used(ROOT))


# The claims notice what is wrong: tried on a miniature of this repository


@pytest.mark.parametrize("claim", ABOUT_PAGES + ABOUT_THE_TUTORIAL, ids=name)
def test_sample(tmp_path: Path, claim: Claim) -> None:
    """The claim is true of the sample as it is."""
    page = Page(sample.lay_out(tmp_path), "tutorial.md")
    expect_none(complaints(page, claim))


LIES = {
    "dead anchor": ("(#01-hello)", "(#01-hallo)", "#01-hallo leads to no heading"),
    "dead link": ("(#01-hello)", "(hello.md)", "hello.md leads to no file"),
    "dead anchor elsewhere": (
        "(#01-hello)",
        "(README.md#me)",
        "README.md#me leads to no heading",
    ),
    "address": ("(#01-hello)", "(htp://x.org)", "htp://x.org is not well-formed"),
    "HTML link": ("An f-string", '<a href="x.md">An</a>', "x.md leads to no file"),
    "missing picture": ("/hello.png", "/hallo.png", "no picture steps/pictures/hallo"),
    "picture without text": ("![A greeting]", "![]", "has no alternative text"),
    "HTML picture": ("Nothing.", '<img src="x.png" alt="x">', "no picture x.png"),
    "level left out": ("### Red", "##### Red", "level 5 follows level 3"),
    "second title": ("### Red", "# Red", "a page has one title"),
    "no title": ("# A sample", "A sample", "a page has one title"),
    "just": ("is all it takes", "is just enough", "never says 'just'"),
    "American": ("Nothing.", "Behavior.", "'Behavior' is not British"),
    "unclaimed fence": ("**Run** it:\n\n```console", "It:\n\n```console", "claims"),
    "no colon": ("**Run** it:", "**Run** it.", "a colon and a fenced block"),
    "no language": ("```diff\n DEBUG", "```\n DEBUG", "must be diff, not nothing"),
    "other language": ("```diff\n DEBUG", "```ruby\n DEBUG", "diff, not ruby"),
    "indented listing": ("Nothing.", "Nothing:\n\n    x = 1", "has no fence around"),
    "fence in a hint": ("An f-string", "```python\n```\n\nAn", "away in a hint"),
    "instruction in a hint": ("An f-string", "**Close** the terminal.", "in a hint"),
    "fold is not closed": ("bob!\n```\n</details>", "bob!\n```\n", "is not closed"),
    "verb misspelt": ("**Close** the", "**Colse** the", "meant to be **close**"),
    "too few codes": (
        "**Delete** `mine/realtime/hello.py`",
        "**Delete** it",
        "needs 1",
    ),
    "no file": (
        "**Create** `mine/realtime/hello.py`",
        "**Create** it",
        "names no file",
    ),
    "press what": ("**Close** the second", "**Press** any key in the", "only Ctrl-C"),
    "close what": ("**Close** the second terminal", "**Close** it", "only a terminal"),
    "two terminals": (
        "in a second terminal",
        "in the first terminal or the second terminal",
        "names several terminals",
    ),
    "nothing typed": ("$ cp -r steps/00 mine\n$ ls mine\n", "", "must start with `$ `"),
    "instruction deleted": (
        "**Delete** `mine/realtime/hello.py`, and **create**",
        "**Create**",
        "mine/realtime/hello.py should not be there",
    ),
    "character changed": ('f"Hello {name}!"', 'f"hello {name}!"', "differs from that"),
    "excerpt changed": ('    assert "Hello', '    assert "hello', "it has no line"),
    "excerpt with a gap": (
        '\n    assert "Hello alice!" ==',
        'def test_greeting():\n    assert "Hello alice!" ==',
        "its lines do not adjoin",
    ),
    "created twice": ("`mine/realtime/hello.py`:", "`mine/settings.py`:", "exists"),
    "replaced too early": ("and **create**", "and **replace**", "there is no file"),
    "outside": ("**Change** `mine/settings.py`", "**Change** `a.py`", "not in mine/"),
    "old lines differ": ("\n DEBUG = True\n+", "\n DEBUG = 1\n+", "has no such lines"),
    "hunk without change": ("\n+GREETING = True", "", "changes nothing"),
    "line without mark": (
        "+GREETING = True",
        "GREETING = True",
        "neither ' ', + nor -",
    ),
    "wrong solution": ('-    return f"Hello', '-    return f"hello', "no such lines"),
    "chapter without step": ("## 01 Hello", "## 02 Hello", "the chapters are ['02']"),
    "section left out": ("### Refactor", "### More", "the sections are"),
    "suite is not run": (
        "$ pytest steps",
        "$ pytest -k greet steps",
        "never runs its suite",
    ),
    "suite is red": ("1 passed", "1 failed", "does not end green"),
    "path": ("realtime  settings.py", "/tmp/x/settings.py", "on the next machine"),
    "nothing to look at": (
        "**Close** the second terminal.",
        "**Look** at the second terminal:\n\n```console\n```",
        "there is nothing to look at",
    ),
    "diagram": ('greeting.py"]', 'hello.py"]', "no hello.py in final/realtime"),
}


@pytest.mark.parametrize("lie", LIES)
def test_lie(tmp_path: Path, lie: str) -> None:
    """A lie in the sample is noticed."""
    old, new, complaint = LIES[lie]
    assert old in sample.TUTORIAL
    root = sample.lay_out(tmp_path, sample.TUTORIAL.replace(old, new))
    page = Page(root, "tutorial.md")
    found = [
        line
        for claim in ABOUT_PAGES + ABOUT_THE_TUTORIAL
        for line in complaints(page, claim)
    ]
    assert complaint in "\n".join(found)


SPLIT = """\
# A page

## 01 Hello

### First sitting: hello

{first}

### Second sitting: goodbye

{second}
"""


@pytest.mark.parametrize(
    ("left_out_first", "left_out_last", "complaint"),
    [
        ("Exercise", "", None),
        ("", "", "line 5: the sections are"),
        ("Exercise", "Exercise", "line 21: the sections are"),
        ("Exercise", "Red", "line 21: the sections are"),
    ],
)
def test_sittings(
    tmp_path: Path, left_out_first: str, left_out_last: str, complaint: str | None
) -> None:
    """A chapter may be split; each sitting has the rhythm, the last the exercise."""
    first, second = (
        "\n\n".join(f"#### {section}" for section in RHYTHM if section != left_out)
        for left_out in [left_out_first, left_out_last]
    )
    (tmp_path / "tutorial.md").write_text(SPLIT.format(first=first, second=second))
    page = Page(tmp_path, "tutorial.md")
    found = [*complaints(page, chapters_keep_the_rhythm)]
    assert (complaint is not None) == bool(found)
    assert (complaint or "") in "".join(found)


def test_unused_picture(tmp_path: Path) -> None:
    """A picture that is on no page is noticed."""
    root = sample.lay_out(tmp_path)
    (root / "steps/pictures/hi.png").touch()
    assert ["steps/pictures/hi.png is on no page"] == list(pictures_are_used(root))


def test_line_numbers() -> None:
    """Faults are on the lines where an author looks for them."""
    document = read_document(
        "# Title\n\n**Run** this.\n\nWrapped\nprose, **strat** it:\n\n```sh\n```\n"
    )
    assert [3, 6, 8] == [fault.line for fault in document.faults]


# What the reader does, as the prose says it


@pytest.mark.parametrize(
    ("prose", "expected"),
    [
        ("**Press** Ctrl-C.", [("press", (), 1)]),
        ("**Press** Ctrl-C in the second terminal.", [("press", (), 2)]),
        ("In the third terminal, **press** Ctrl-C.", [("press", (), 3)]),
        (
            "**Press** Ctrl-C in the second terminal. **Close** the\nthird terminal.",
            [("press", (), 2), ("close", (), 3)],
        ),
        (
            "**Type** `alice` into `Username`, then **click** `Log in`.",
            [("type", ("alice", "Username"), 1), ("click", ("Log in",), 1)],
        ),
        (
            "- **Open** `http://x/`.\n- **Check** that the page says `Hello`.",
            [("open", ("http://x/",), 1), ("check", ("Hello",), 1)],
        ),
        ("**Copy** `a` to `mine/b`.", [("copy", ("a", "mine/b"), 1)]),
        ("The **bus** carries `events`. **Why?** **Signal.** A word.", []),
    ],
)
def test_prose(prose: str, expected: list[tuple[str, tuple[str, ...], int]]) -> None:
    """Verbs in bold are instructions, for the terminal that their sentence names."""
    document = read_document(prose)
    assert [] == document.faults
    assert expected == [
        (instruction.verb, instruction.codes, instruction.terminal)
        for instruction in document.instructions
    ]


def test_fence_in_a_list() -> None:
    """A listing in a list loses the indentation of the list, and no more."""
    document = read_document("- **Create** `a`:\n\n  ```python\n    x\n  ```\n")
    assert [] == document.faults
    assert ["  x\n"] == [
        instruction.fence.content
        for instruction in document.instructions
        if instruction.fence
    ]


def test_copy(tmp_path: Path) -> None:
    """A file that teaches nothing is copied, where there is none."""
    (tmp_path / "a").write_text("b {}\n")
    [instruction] = read_document("**Copy** `a` to `mine/b/c`.").instructions
    follow(instruction, tmp_path)
    assert "b {}\n" == (tmp_path / "mine/b/c").read_text()
    with pytest.raises(Wrong, match="mine/b/c exists already"):
        follow(instruction, tmp_path)
    [instruction] = read_document("**Copy** `b` to `mine/d`.").instructions
    with pytest.raises(Wrong, match="there is no file b"):
        follow(instruction, tmp_path)


TEXT = "one\n\ntwo\nthree\ntwo\n"


@pytest.mark.parametrize(
    ("diff", "expected"),
    [
        ("-one\n+1\n", "1\n\ntwo\nthree\ntwo\n"),
        (" one\n\n-two\n", "one\n\nthree\ntwo\n"),
        (" three\n+3\n two\n", "one\n\ntwo\nthree\n3\ntwo\n"),
        ("-one\n@@ and then\n three\n-two\n", "\ntwo\nthree\n"),
    ],
)
def test_diff(diff: str, expected: str) -> None:
    """A hunk belongs where its old lines are."""
    assert expected == changed(TEXT, diff, "a.py")


@pytest.mark.parametrize(
    ("diff", "complaint"),
    [
        ("-four\n+4\n", "a.py has no such lines"),
        ("-tw\n+2\n", "a.py has no such lines"),
        ("-two\n+2\n", "a.py has these lines 2 times"),
        ("+zero\n", "a.py has no such lines"),
        (" one\n", "changes nothing"),
        ("one\n+1\n", "starts with neither"),
    ],
)
def test_wrong_diff(diff: str, complaint: str) -> None:
    """A hunk that belongs nowhere, or in several places, is refused."""
    with pytest.raises(Wrong, match=complaint):
        changed(TEXT, diff, "a.py")

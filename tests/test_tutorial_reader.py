"""The reader notices what is wrong: tried on a miniature of this repository."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from steps.ports import free_port
from tests import sample
from tests.tutorial import surroundings
from tests.tutorial.__main__ import revised, write_down
from tests.tutorial.browser import Browser
from tests.tutorial.document import read_document
from tests.tutorial.files import Wrong
from tests.tutorial.reader import Reader, Stuck
from tests.tutorial.surroundings import ROOT, environment, link_environment
from tests.tutorial.transcripts import normal

Follow = Callable[..., Reader]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests: Playwright runs once in a thread."""
    with Browser() as browser:
        yield browser


@pytest.fixture
def follow(tmp_path: Path, browser: Browser) -> Iterator[Follow]:
    """A function that lets a reader follow a text in the miniature repository."""
    readers = []

    def follow(text: str, trusting: bool = False, patience: float = 60) -> Reader:
        document = read_document(text)
        assert [] == document.faults
        copy = sample.lay_out(tmp_path / "sample", text)
        if not (copy / ".venv").exists():
            link_environment(copy / ".venv")
        reader = Reader(copy, environment(), browser, print, trusting)
        reader.patience = patience
        readers.append(reader)
        for part in document.parts:
            reader.read(part)
        return reader

    yield follow
    for reader in readers:
        reader.__exit__(None, None, None)


def test_sample(follow: Follow) -> None:
    """Reader follows the sample to its end; what a solution does is discarded."""
    reader = follow(sample.TUTORIAL)
    assert not (reader.folder / "mine/realtime/hello.py").exists()
    assert sample.GREETING == (reader.folder / "mine/realtime/greeting.py").read_text()
    assert ["sample"] == [folder.name for folder in reader.folder.parent.iterdir()]


def test_what_came_is_written(follow: Follow) -> None:
    """Outputs that are wrong or left out become what came; times stay as they were."""
    text = sample.TUTORIAL
    for old, new in [
        ("realtime  settings.py\n", ""),
        (">>> 1 + 1\n2\n", ">>> 1 + 1\n3\n4\n"),
        ("Goodbye bob!\n```", "Hello bob!\n```"),
    ]:
        assert old in text
        text = text.replace(old, new)
    reader = follow(text, trusting=True)
    assert sample.TUTORIAL == revised(text, reader.outputs)


def console(instruction: str, *lines: str) -> str:
    """Return an instruction with its transcript, as a text."""
    transcript = "\n".join(lines)
    return f"{instruction}:\n\n```console\n{transcript}\n```\n\n"


LIES = {
    "instruction deleted": (
        "**Delete** `mine/realtime/hello.py`, and **create**",
        "**Create**",
        "at the end of chapter 01, mine/realtime/hello.py should not be there",
    ),
    "character changed in a listing": (
        'f"Hello {name}!"',
        'f"Hello {name}."',
        "-1 passed in <a time>",
    ),
    "word changed in a transcript": (
        "realtime  settings.py",
        "realtime  setting.py",
        "line 18: **Run** this:\ntyped: $ ls mine (line 22)\n"
        "--- what the tutorial shows\n+++ what came\n@@ -1 +1 @@\n"
        "-realtime  setting.py\n+realtime  settings.py",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_lie(follow: Follow, lie: str) -> None:
    """Reader of a tutorial with a lie in it is stuck where the lie comes out."""
    old, new, complaint = LIES[lie]
    assert old in sample.TUTORIAL
    with pytest.raises(Stuck) as stuck:
        follow(sample.TUTORIAL.replace(old, new, 1))
    assert complaint in str(stuck.value)


MISTAKES = {
    "word changed in a conversation": (
        console("**Start** it", "$ python3 -q", ">>> 1 + 1", "3", ">>> 2 + 2", "4"),
        "typed: >>> 1 + 1 (line 5)\n--- what the tutorial shows\n+++ what came\n"
        "@@ -1 +1 @@\n-3\n+2",
    ),
    "line left out of a transcript": (
        console("**Run** it", "$ echo one; echo two", "one"),
        " one\n+two",
    ),
    "line left out at a server's start": (
        console("**Start** it", "$ echo one; echo two; sleep 60", "one"),
        " one\n+two",
    ),
    "more to look at": (
        console("**Start** it", "$ echo one; read x; echo two; cat", "one")
        + console("**Look** at the terminal", "two"),
        "-two",
    ),
    "no terminal to look at": (
        console("**Look** at the second terminal", "one"),
        "that terminal was not opened yet",
    ),
    "a command that does not end": (
        console("**Run** it", "$ sleep 60"),
        "it did not end in 3 s",
    ),
    "a server that ends": (
        console("**Start** it", "$ echo one", "one"),
        "it ended, and should run on",
    ),
    "a program without its prompt": (
        console("**Run** it", "$ redis-cli --version", "127.0.0.1:6379> PING", "PONG"),
        "there is no prompt '127.0.0.1:6379> '",
    ),
    "a terminal that is busy": (
        console("**Start** it", "$ cat") + console("**Run** it", "$ ls"),
        "the shell has no prompt: something runs",
    ),
    "nothing to interrupt": (
        console("**Run** it", "$ true") + "**Press** Ctrl-C.",
        "nothing runs in that terminal",
    ),
    "a shell that has ended": (
        console("**Run** it", "$ exit"),
        "the shell of this terminal has ended",
    ),
    "no token": (
        console("**Run** it", "$ echo <your token>", "<your token>"),
        "no transcript has printed one",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake(follow: Follow, mistake: str) -> None:
    """Reader is stuck, and says where, what was expected, and what came."""
    text, complaint = MISTAKES[mistake]
    with pytest.raises(Stuck) as stuck:
        follow(text, patience=3)
    assert "tutorial.md, line " in str(stuck.value)
    assert complaint in str(stuck.value)


def test_nothing_to_write(follow: Follow) -> None:
    """An author who has the reader look at nothing is told so."""
    text = console("**Start** it", "$ cat") + console("**Look** at the terminal")
    with pytest.raises(Stuck, match="nothing came"):
        follow(text, trusting=True, patience=1)


def test_terminals(follow: Follow) -> None:
    """Each terminal has a life of its own; what comes in it is looked at once."""
    follow(
        console("**In every terminal** that you open", "$ export GREETING=Hello")
        + console("**Start** this in a second terminal", "$ touch log", "$ tail -f log")
        + console("**Run** this", "$ echo $GREETING >> log")
        + console("**Look** at the second terminal", "Hello")
        + console("**Run** this", "$ echo Bye >> log")
        + console("**Look** at the second terminal", "Bye")
        + "**Press** Ctrl-C in the second terminal.\n\n"
        + console("**Run** this in the second terminal", "$ echo $GREETING", "Hello")
        + "**Close** the second terminal.\n\n"
        + console("**Run** this in a second terminal", "$ echo $PPID | wc -l", "1")
    )


def test_token(follow: Follow) -> None:
    """What is typed has the latest token that was printed."""
    old, new = "AAAAAQ" + 24 * "x", "AAAAAQ" + 24 * "y"
    follow(
        console("**Run** this", f"$ echo {old}", "<your token>")
        + console("**Run** this", f"$ echo {new}", "<your token>")
        + console("**Run** this", "$ echo <your token> | tr -d x | wc -c", "31")
    )


PAGE = """\
<title>Sample</title>
<form onsubmit="say.textContent = `${who.value} in ${where.value}`; return false">
  <label>Name: <input id="who"></label>
  <label for="where">Place</label>
  <select id="where"><option>Bath</option><option>Lyme</option></select>
  <button>Greet</button>
</form>
<p id="say"></p>
<a href="?">Again</a> <button>Twice</button> <button>Twice</button>
"""

VISIT = """\
**Create** `mine/index.html`:

```html
PAGE```

**Start** the site in a second terminal:

```console
$ python3 -m http.server --directory mine PORT 2> log
Serving HTTP on 0.0.0.0 port PORT (http://0.0.0.0:PORT/) ...
```

**Open** `http://localhost:PORT/`. Then:

- **Type** `Anne` into `Name`, **select** `Lyme` in `Place`.
- **Click** `Greet`. **Check** that the page says `Anne in Lyme`.

**Paste** this into the browser's console:

```js
const name = document.getElementById("who").value;
setTimeout(() => console.log(name, [1]), 100);
console.log("at once");
```

**Look** at the console:

```text
at once
Anne [1]
```

**Paste** one line more, which can use what the last paste defined:

```js
console.log(name.length);
```

**Look** at the console:

```text
4
```

**Click** `Again`. **Type** `Emma` into `Name`.
"""


@pytest.fixture
def visit() -> str:
    """A text that visits a page, on a free port."""
    return VISIT.replace("PAGE", PAGE).replace("PORT", str(free_port()))


def test_browser(follow: Follow, visit: str) -> None:
    """Reader uses a page and its console as the prose says."""
    follow(visit)


@pytest.fixture
def impatient(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that soon finds out that something is not there."""
    monkeypatch.setattr(browser, "patience", 1)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("`Anne in Lyme`", "`Anne in Bath`", "says:\nName:"),
        ("**Click** `Greet`", "**Click** `Meet`", "waiting for"),
        ("**Click** `Greet`", "**Click** `Twice`", "resolved to 2 elements"),
        ("**select** `Lyme`", "**select** `York`", "did not find some options"),
        ("Anne [1]", "Emma [1]", "-Emma [1]\n+Anne [1]"),
        ("console.log(name.length)", "console.log(nom)", "nom is not defined"),
        ('console.log("at once")', 'console.error("no")', "console error: no"),
    ],
)
def test_mistake_in_browser(
    follow: Follow, impatient: None, visit: str, old: str, new: str, complaint: str
) -> None:
    """Reader is stuck, and says what the page or its console says."""
    assert old in visit
    with pytest.raises(Stuck) as stuck:
        follow(visit.replace(old, new))
    assert complaint in str(stuck.value)


# What is normalised


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("11 passed in 0.66s", "11 passed in <a time>"),
        ("11 passed in 65.02s (0:01:05)", "11 passed in <a time>"),
        ('"2026-03-01T12:00:00.5+00:00"', '"<a time>"'),
        ("March 01, 2026 - 12:00:00", "<a time>"),
        ('[01/Mar/2026 12:00:00] "GET / HTTP/1.1"', '[<a time>] "GET / HTTP/1.1"'),
        ("(1.20s)", "(<a time>)"),
        ('1) 1) "1795545888431-0"', '1) 1) "<an id>"'),
        ("AAAAAXjNBqaZ5rH_pW2cq-4dKvHoAZ", "<your token>"),
        ("> AAAAAXjNBqaZ5rH_pW2cq-4dKvHoAZ", "> <your token>"),
        ("ws://localhost:40123/", "ws://localhost:<a port>/"),
        ("http://127.0.0.1:60999/", "http://127.0.0.1:<a port>/"),
        (
            "ws://localhost:8888/ 127.0.0.1:6379> ",
            "ws://localhost:8888/ 127.0.0.1:6379>",
        ),
        ("closed in 30 seconds, 12 times, code 1011", None),
        ("published 1815-12-23", None),
        ("FAILED steps/01/test_x.py::test_AAAAA", None),
    ],
)
def test_normal(line: str, expected: str | None) -> None:
    """Times, tokens, ids and free ports are compared as such, and nothing else is."""
    assert (line if expected is None else expected) == normal(line)


# What an author uses


def test_edits_are_kept(tmp_path: Path) -> None:
    """What an author edits while the reader walks is not lost."""
    before = "one\n" + "\n" * 10 + "two\n"
    tutorial = tmp_path / "tutorial.md"
    tutorial.write_text(before.replace("one", "edited"))
    write_down(tutorial, before, before.replace("two", "came"))
    assert "edited\n" + "\n" * 10 + "came\n" == tutorial.read_text()


def test_conflicts_are_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An author who edits an output while it is written is told to look."""
    tutorial = tmp_path / "tutorial.md"
    tutorial.write_text("edited\n")
    write_down(tutorial, "one\n", "came\n")
    assert "conflict markers" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("text", "options", "complaint"),
    [
        ("**Run** this.", [], "line 1: **Run** this.: a colon and a fenced block"),
        ("# Title", ["--to", "07"], "there is no chapter 07 in sample.md"),
    ],
)
def test_author_is_told(
    tmp_path: Path, text: str, options: list[str], complaint: str
) -> None:
    """``python -m tests.tutorial`` says what is wrong before it walks."""
    (tmp_path / "sample.md").write_text(text)
    command = [sys.executable, "-m", "tests.tutorial", str(tmp_path / "sample.md")]
    process = subprocess.run(
        [*command, *options], cwd=ROOT, capture_output=True, text=True
    )
    assert 1 == process.returncode
    assert complaint in process.stderr
    assert "Traceback" not in process.stderr


def test_help() -> None:
    """--help says what --write does and what it keeps."""
    command = [sys.executable, "-m", "tests.tutorial", "--help"]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    for word in ["--write", "--to", "git diff tutorial.md"]:
        assert word in process.stdout


def test_port_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever walks where something listens is told on which port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setattr(surroundings, "LOCK", tmp_path / "lock")
        monkeypatch.setattr(surroundings, "PORTS", [port])
        monkeypatch.setattr(surroundings, "PATIENCE", 0)
        with pytest.raises(Wrong, match=f"needs port {port}"):
            with surroundings.surroundings():
                pass


def test_somebody_else_walks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants to walk while somebody else does waits, and is told in the end."""
    monkeypatch.setattr(surroundings, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(surroundings, "PORTS", [])
    monkeypatch.setattr(surroundings, "OTHER_WALK", 0)
    with surroundings.surroundings():
        with pytest.raises(Wrong, match="another walk-through holds"):
            with surroundings.surroundings():
                pass

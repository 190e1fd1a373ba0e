"""Every mistake of tests/mistakes/ is caught by a test, which explains it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import mistakes
from tests.forks import at_once

HARMLESS = """\
Mistake: none, really.
Caught by: steps/01/test_who_is_there.py::test_garbage
Says: nothing

--- a/realtime/server.py
+++ b/realtime/server.py
@@ -2,3 +2,4 @@

 import asyncio
+import math
 from collections.abc import AsyncIterator
"""


@pytest.fixture(scope="module")
def explanations(request, tmp_path_factory):
    """How the failure of each mistake's test explains it; graded on all cores."""
    chosen = [
        item.callspec.params["file"]
        for item in request.session.items
        if getattr(item, "function", None) is test_caught
    ]
    with ThreadPoolExecutor(at_once()) as pool:
        yield {
            file: pool.submit(
                mistakes.grade, mistakes.read(file), tmp_path_factory.mktemp(file.stem)
            )
            for file in chosen
        }


@pytest.mark.parametrize("file", mistakes.FILES, ids=lambda file: file.stem)
def test_caught(file, explanations):
    """The test that a mistake names fails, and tells the learner why."""
    mistake = mistakes.read(file)
    explanation = explanations[file].result()
    if not mistake.is_in_a_script:
        assert f"Read:     {mistake.chapter} of tutorial.md" in explanation
    for words in mistake.words:
        assert words in explanation


def test_enough():
    """There are at least three mistakes for each step."""
    steps = {file.parent.name for file in mistakes.ROOT.glob("steps/[0-9]*/test_*.py")}
    counts = Counter(file.name[:2] for file in mistakes.FILES)
    assert steps == set(counts)
    assert min(counts.values()) >= 3


@pytest.fixture
def patch(tmp_path):
    """A function that writes a patch of step 01, with one text replaced."""

    def patch(old="", new=""):
        file = tmp_path / "01-harmless.patch"
        file.write_text(HARMLESS.replace(old, new))
        return file

    return patch


def test_not_caught(patch, tmp_path):
    """A mistake that its test does not catch is reported."""
    with pytest.raises(ValueError, match=r"(?s)is not caught by .*1 passed"):
        mistakes.grade(mistakes.read(patch()), tmp_path / "code")


def test_unknown_test(patch, tmp_path):
    """A mistake that names a test that does not exist is reported."""
    mistake = mistakes.read(patch("test_garbage", "test_rubbish"))
    with pytest.raises(ValueError, match=r"not found: .*test_rubbish"):
        mistakes.grade(mistake, tmp_path / "code")


def test_outdated_patch(patch, tmp_path):
    """A patch that does not apply to the code of its step is reported."""
    mistake = mistakes.read(patch("asyncio", "trio"))
    with pytest.raises(ValueError, match=r"does not apply to steps/01: .*server.py:2"):
        mistakes.grade(mistake, tmp_path / "code")


@pytest.mark.parametrize("label", ["Mistake", "Caught by", "Says"])
def test_incomplete_patch(patch, label):
    """A patch that does not say what it must is reported."""
    with pytest.raises(ValueError, match=f"01-harmless.patch has no line '{label}: …'"):
        mistakes.read(patch(label, "Note"))

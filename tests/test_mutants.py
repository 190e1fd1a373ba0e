"""Mutants are made and judged well, and tests/mutants.toml tells the truth of them."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from rich.progress import Progress

from tests import mutants
from tests.forks import at_once
from tests.matrix import codes
from tests.mutants import (
    NOTHING_STARTS,
    ROOT,
    Kills,
    Memory,
    Mutant,
    Survivor,
    Verdict,
)
from tests.mutations import mutations
from tests.outcomes import GREEN, OUTGROWN, RED, Outcome

STEPS = codes(ROOT)[1:]
SURVIVORS = mutants.survivors(ROOT)

# Mutations


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("answer = 42\n", "pass\n"),
        ("answer = 42\n", "answer = 43\n"),
        ("f(x, y)\n", "f(x, None)\n"),
        ("f(x, y=1)\n", "f(x, )\n"),
        ("f(*x)\n", "f()\n"),
        ('text = "Hello!"\n', 'text = "XXHello!XX"\n'),
        ("if x is None:\n    return\n", "if x is not None:\n    return\n"),
        ("if x is None:\n    return\n", "pass\n"),
        ("@one\n@two\ndef f(): pass\n", "@two\ndef f(): pass\n"),
        ("async def f(): await g()\n", "async def f(): g()\n"),
        ('f"Hello {user}!"\n', 'f"XXHello {user}!"\n'),
        ("def f():\n    import signals\n", "def f():\n    pass\n"),
    ],
)
def test_mutation(before, after):
    """A piece of code is changed in this small way, among others."""
    assert after in [mutation.text for mutation in mutations(before)]


@pytest.mark.parametrize(
    "text",
    [
        '"""A docstring."""\n',
        "import os\n",
        "from os import path\n",
        "class X:\n    x: int\n",
        'T = TypeVar("T")\n',
        "pass\n",
    ],
)
def test_no_mutation(text):
    """What no test could miss, or none could notice, is not changed."""
    assert () == mutations(text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("f(x, y)\n", "f(x)\n"),
        ("f(x, y=1)\n", "f(x, y=None)\n"),
        ("f(None)\n", "f(None)\n"),
        ('text = "Hello!"\n', 'text = "HELLO!"\n'),
    ],
)
def test_one_of_a_kind(before, after):
    """What another change tells as well is not tried."""
    assert after not in [mutation.text for mutation in mutations(before)]


@pytest.mark.parametrize(
    "text",
    [
        'logger.warning("Redis fails")\n',
        'warn(logger, f"{reason} fails")\n',
        'raise ValueError("Too large")\n',
    ],
)
def test_wording(text):
    """What is said matters, but not in which words."""
    quoted = re.findall('".*"', text)
    changed = [mutation.text for mutation in mutations(text)]
    assert changed
    assert [] == [one for one in changed if one != "pass\n" and quoted[0] not in one]


def test_annotation():
    """An annotation is not changed."""
    changed = [mutation.text for mutation in mutations('x: "int" = 1\n')]
    assert {"pass\n", 'x: "int" = None\n', 'x: "int" = 2\n'} == {*changed}


def test_difference():
    """A mutation names the lines that change, wherever they are."""
    text = "x = 1\nif x:\n    f(\n        2,\n    )\n"
    changes = {(each.before, each.after, each.line) for each in mutations(text)}
    assert ("2,", "3,", 4) in changes
    assert ("f(\n2,\n)", "pass", 3) in changes


# Judgements

ONE, OTHER = (
    Mutant("realtime/server.py", mutation) for mutation in mutations("x = 1\n")[:2]
)


@pytest.fixture
def tried():
    """The tests that are tried on mutants, for each run."""
    return []


@pytest.fixture
def judged(monkeypatch, tmp_path, tried):
    """A function that judges two mutants in each step, with these outcomes."""

    def judged(**outcomes):
        def graded(root, code, mutant, tests):
            runs.append((code, mutant))
            tried.append(tests)
            return outcomes[f"step_{code}"].get(mutant, {})

        runs = []
        monkeypatch.setattr(mutants, "graded", graded)
        chosen = [name.removeprefix("step_") for name in outcomes]
        verdicts = [*mutants.judged(ROOT, chosen, Progress(disable=True))]
        return verdicts, [run for run in runs if run[1]]

    monkeypatch.setattr(mutants, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(mutants, "reach", lambda root, code: {})
    monkeypatch.setattr(mutants, "mutants", lambda root, code: [ONE, OTHER])
    return judged


X, Y, NEW = "steps/01/test_x", "steps/01/test_y", "steps/02/test_z"
AS_IT_IS = {X: Outcome(GREEN), Y: Outcome(GREEN)}
LATER = AS_IT_IS | {NEW: Outcome(GREEN)}
KILLED_BY_X = {X: Outcome(RED, "because")}
KILLED_BY_Y = {X: Outcome(GREEN), Y: Outcome(RED, "because")}


def test_killers(judged):
    """A mutant is killed by the test that fails, and survives if none does."""
    [verdict], _ = judged(step_01={None: AS_IT_IS, ONE: KILLED_BY_Y, OTHER: AS_IT_IS})
    assert {ONE: Y, OTHER: None} == verdict.killers
    assert [OTHER] == verdict.alive
    assert 50 == verdict.score


def test_nothing_starts(judged):
    """A mutant with which the suites do not start, or do not end, is killed."""
    [verdict], _ = judged(step_01={None: AS_IT_IS, ONE: {}, OTHER: {}})
    assert {ONE: NOTHING_STARTS, OTHER: NOTHING_STARTS} == verdict.killers


def test_known(judged, tried):
    """A mutant that was killed is not run again; a survivor meets what is new."""
    outcomes = {None: AS_IT_IS, ONE: KILLED_BY_X, OTHER: AS_IT_IS}
    verdicts, runs = judged(step_01=outcomes, step_02=outcomes | {None: LATER})
    assert verdicts[0].killers == verdicts[1].killers
    assert {("01", ONE), ("01", OTHER), ("02", OTHER)} == set(runs)
    assert [NEW] == tried[-1]
    assert [2, 1] == [verdict.run for verdict in verdicts]


def test_outgrown_killer(judged):
    """A mutant is run again if the test that killed it has been outgrown."""
    before = {None: AS_IT_IS, ONE: KILLED_BY_X, OTHER: KILLED_BY_Y}
    later = AS_IT_IS | {X: Outcome(OUTGROWN)}
    _, runs = judged(step_01=before, step_02={None: later, ONE: KILLED_BY_Y})
    assert {("01", ONE), ("01", OTHER), ("02", ONE)} == set(runs)


def test_goes_on(judged):
    """A run goes on where the last one ended, whether mutants were killed or not."""
    outcomes = {None: AS_IT_IS, ONE: KILLED_BY_X, OTHER: AS_IT_IS}
    [before], _ = judged(step_01=outcomes)
    [after], runs = judged(step_01=outcomes)
    assert before.killers == after.killers
    assert (0, []) == (after.run, runs)


def test_goes_on_with_the_next_step(judged):
    """What was killed in a step is known in the next one, even in another run."""
    outcomes = {None: AS_IT_IS, ONE: KILLED_BY_X, OTHER: AS_IT_IS}
    judged(step_01=outcomes)
    _, runs = judged(step_02=outcomes | {None: LATER})
    assert [("02", OTHER)] == runs


def test_kept_at_once(monkeypatch, tmp_path):
    """What is found is kept at once: a run may be interrupted."""
    monkeypatch.setattr(mutants, "CACHE", tmp_path / "cache")
    with Memory(ROOT, "01") as memory, Memory(ROOT, "01") as another:
        memory.add(ONE, X)
        assert {ONE: X} == another.known([ONE, OTHER])


def test_starts_anew(judged, monkeypatch):
    """What was found doesn't hold when anything changes on which it depends."""
    outcomes = {None: AS_IT_IS, ONE: KILLED_BY_X, OTHER: AS_IT_IS}
    judged(step_01=outcomes)
    monkeypatch.setattr(mutants, "fingerprint_of", lambda root, code: "another")
    _, runs = judged(step_01=outcomes)
    assert {("01", ONE), ("01", OTHER)} == set(runs)


def test_the_same_first(judged, tried, monkeypatch):
    """The test that killed a mutant comes first when it is judged again."""
    outcomes = {None: AS_IT_IS, ONE: KILLED_BY_Y, OTHER: AS_IT_IS}
    judged(step_01=outcomes)
    assert [Y] not in tried
    monkeypatch.setattr(mutants, "fingerprint_of", lambda root, code: "another")
    judged(step_01=outcomes)
    assert [Y] in tried


def test_the_same_first_in_the_next_step(judged, tried, monkeypatch):
    """It comes first, too, if another part of the file is new in the next step."""
    judged(step_01={None: AS_IT_IS, ONE: KILLED_BY_Y, OTHER: KILLED_BY_Y})
    new = ONE._replace(mutation=ONE.mutation._replace(text="another"))
    found = {"01": [ONE, OTHER], "02": [new]}
    monkeypatch.setattr(mutants, "mutants", lambda root, code: found[code])
    judged(step_02={None: AS_IT_IS, new: KILLED_BY_Y})
    assert [[Y]] == tried[-1:]


PINS = ".ci/pins.txt"


@pytest.mark.parametrize(
    "file", ["steps/01/realtime/server.py", "steps/grading.py", PINS]
)
def test_fingerprint(tmp_path, file):
    """Verdicts depend on the code, on the suites, and on what they stand on."""
    later = "steps/02/test_later.py"
    for name in ["steps/01/realtime/server.py", "steps/grading.py", PINS, later]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("before")
    before = mutants.fingerprint_of(tmp_path, "01")
    (tmp_path / later).write_text("after")
    assert before == mutants.fingerprint_of(tmp_path, "01")
    (tmp_path / file).write_text("after")
    assert before != mutants.fingerprint_of(tmp_path, "01")


@pytest.mark.parametrize(
    ("as_it_is", "which"),
    [(KILLED_BY_X, f"{X} (because)"), ({}, NOTHING_STARTS)],
    ids=["red", "nothing"],
)
def test_suites_that_fail(judged, as_it_is, which):
    """Mutants prove nothing if the suites fail on the code as it is."""
    complaint = f"steps/01 does not pass the suites as it is: {which}"
    with pytest.raises(ValueError, match=re.escape(complaint)):
        judged(step_01={None: as_it_is})


def test_reach():
    """It is known which tests run a line."""
    reached = mutants.reach(ROOT, "01")["realtime/server.py"]
    lines = (ROOT / "steps/01/realtime/server.py").read_text().splitlines()
    (first, *_), (goodbye, *_) = (
        [number for number, line in enumerate(lines, 1) if words in line]
        for words in ["import asyncio", "authentication failed"]
    )
    assert "steps/01/test_who_is_there.py::test_garbage" in reached[goodbye]
    assert "steps/01/test_who_is_there.py::test_valid_token" in reached[first]
    assert {*reached[goodbye]} < {*reached[first]}


def test_bus():
    """A mutant of Pub/Sub is run on Pub/Sub, though that is not the default."""
    publish = "pipeline.publish(channel, written(message))"
    change = "realtime/pubsub.py", publish, "pass"
    [mutant] = [one for one in mutants.mutants(ROOT, "09") if one.change == change]
    test = "steps/02/test_django_speaks.py::test_adding"
    came = mutants.graded(ROOT, "09", mutant, [test])
    assert RED == came[test].colour


@pytest.mark.parametrize("red_is_near", [True, False])
def test_near(monkeypatch, red_is_near):
    """The tests that run the line that changes come first, and then all the others."""
    runs = []

    def graded(root, code, mutant, tests):
        runs.append(tests)
        is_red = red_is_near or tests != [X]
        return KILLED_BY_Y if is_red else AS_IT_IS

    monkeypatch.setattr(mutants, "graded", graded)
    reach = {"realtime/server.py": {1: [X], 2: [Y]}}
    tests = [Y, X, "test_z"]
    assert Y == mutants.killer(ROOT, "01", ONE, tests, reach, Kills())
    assert [[X], *([] if red_is_near else [[Y, "test_z"]])] == runs


def test_likeliest_first():
    """The test comes first that killed the same mutant, then those that killed near."""
    far = OTHER._replace(mutation=OTHER.mutation._replace(line=9))
    same = ONE._replace(mutation=ONE.mutation._replace(line=99))
    kills = Kills()
    kills.add(OTHER._replace(file="another"), "test_elsewhere")
    kills.add(far, "test_far")
    kills.add(OTHER, "test_close")
    kills.add(same, "test_same")
    tests = ["test_elsewhere", "test_far", "test_close", "test_same"]
    assert tests[::-1] == kills.likeliest_first(ONE, tests)


def complaints(since, until=None, **killers):
    """Complain about step 01, where ONE and OTHER have these killers."""
    found = {ONE: killers["one"], OTHER: killers["other"]}
    survivors = [Survivor(*ONE.change, since, "It makes no difference.", until)]
    return [*mutants.complaints(Verdict("01", found, 2), survivors)]


def test_all_is_well(monkeypatch):
    """A survivor that is explained is fine, if enough others are killed."""
    monkeypatch.setattr(mutants, "ENOUGH", 50)
    assert [] == complaints("01", one=None, other=X)


@pytest.mark.parametrize(("since", "until"), [("02", None), ("00", "01")])
def test_unexplained_survivor(monkeypatch, since, until):
    """A survivor that nothing explains is told in the words to explain it with."""
    monkeypatch.setattr(mutants, "ENOUGH", 50)
    [complaint] = complaints(since, until, one=None, other=X)
    lines = [
        "survives, and nothing says why:",
        'file = "realtime/server.py"',
        f'before = "{ONE.mutation.before}"',
        f'after = "{ONE.mutation.after}"',
    ]
    assert lines == complaint.splitlines()


def test_explained_victim():
    """An explanation of what does not survive any more is told."""
    [complaint] = complaints("01", one=X, other=X)
    assert "is explained, but doesn't survive any more" in complaint


def test_low_score():
    """A step of which too few mutants are killed is told."""
    *_, complaint = complaints("01", one=None, other=X)
    assert "only 50 % of the mutants are killed, not 90 %" == complaint


# tests/mutants.toml


@pytest.fixture(scope="module")
def all_mutants():
    """The mutants of each step."""
    return {step: mutants.mutants(ROOT, step) for step in STEPS}


@pytest.mark.parametrize("survivor", SURVIVORS, ids=lambda survivor: survivor.after)
def test_survivor(survivor, all_mutants):
    """A survivor has a reason in one line, and is a mutant of the steps it lives in."""
    assert survivor.reason.endswith(".")
    assert 1 == len(survivor.reason.splitlines())
    lives_in = [step for step in STEPS if survivor.lives_in(step)]
    assert survivor.since == lives_in[0]
    for step in lives_in:
        assert survivor.change in [mutant.change for mutant in all_mutants[step]]


def test_survivors_once():
    """No survivor is listed twice."""
    changes = [survivor.change for survivor in SURVIVORS]
    assert len(set(changes)) == len(changes)


def test_sample_survives(all_mutants):
    """A survivor survives, as `make mutants` finds for all of them."""
    survivor = SURVIVORS[0]
    step = survivor.since
    [mutant] = [one for one in all_mutants[step] if one.change == survivor.change]
    suites = mutants.so_far(ROOT, step)
    assert mutants.killer(ROOT, step, mutant, suites, {}, Kills()) is None


@pytest.mark.parametrize("step", STEPS)
def test_sample_is_killed(step, all_mutants):
    """Two mutants of what is new in a step are killed, as all but survivors are."""
    survivors = {one.change for one in SURVIVORS if one.lives_in(step)}
    known = {one for before in STEPS if before < step for one in all_mutants[before]}
    new = [
        mutant
        for mutant in all_mutants[step]
        if mutant not in known and mutant.change not in survivors
    ]
    sample, suites = new[:: len(new) // 2 + 1], mutants.so_far(ROOT, step)
    with ThreadPoolExecutor(at_once()) as pool:
        killers = pool.map(
            lambda mutant: mutants.killer(ROOT, step, mutant, suites, {}, Kills()),
            sample,
        )
    assert [] == [one for one, test in zip(sample, killers, strict=True) if not test]

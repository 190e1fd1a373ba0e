"""Small changes of code: another text, a missing argument, a forgotten statement.

mutmut knows those of expressions. Those of statements, and of the expressions that
mutmut leaves alone, are ours.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from functools import cache, partial
from itertools import islice, takewhile
from typing import Any, NamedTuple

import libcst as cst
from mutmut.mutation.mutators import (
    mutation_operators,
    operator_arg_removal,
    operator_string,
)


def forget(statement: cst.SimpleStatementLine) -> Iterator[cst.CSTNode]:
    """Leave a statement out."""
    yield statement.with_changes(body=[cst.Pass()])


def forget_case(statement: cst.If) -> Iterator[cst.CSTNode]:
    """Leave an if statement out, and all that depends on it."""
    yield cst.SimpleStatementLine([cst.Pass()])


def forget_decorator(function: cst.FunctionDef) -> Iterator[cst.CSTNode]:
    """Leave a decorator out."""
    for decorator in function.decorators:
        kept = [other for other in function.decorators if other is not decorator]
        yield function.with_changes(decorators=kept)


def forget_to_wait(expression: cst.Await) -> Iterator[cst.CSTNode]:
    """Leave an await out."""
    yield expression.expression


def change_text(text: cst.FormattedStringText) -> Iterator[cst.CSTNode]:
    """Change a text in an f-string."""
    yield text.with_changes(value=f"XX{text.value}")


def change_argument(call: cst.Call) -> Iterator[cst.CSTNode]:
    """Leave out an argument that has a name, or stars, and make another one None."""
    for index, argument in enumerate(call.args):
        before, after = call.args[:index], call.args[index + 1 :]
        nothing = cst.Name("None")
        if argument.keyword or argument.star:
            yield call.with_changes(args=[*before, *after])
        elif not argument.value.deep_equals(nothing) and not is_wording(call, argument):
            changed = argument.with_changes(value=nothing)
            yield call.with_changes(args=[*before, changed, *after])


def change_string(string: cst.SimpleString) -> Iterator[cst.CSTNode]:
    """Change a string in the first way that mutmut knows."""
    yield from islice(operator_string(string), 1)


Operator = tuple[type[cst.CSTNode], Callable[[Any], Iterable[cst.CSTNode]]]

# More ways to change the same thing wouldn't tell more: a call that lacks an argument
# fails wherever it is made, and what notices another text notices its capitals.
TOLD_ALREADY = [operator_arg_removal, operator_string]

OPERATORS: list[Operator] = [
    *[operator for operator in mutation_operators if operator[1] not in TOLD_ALREADY],
    (cst.Call, change_argument),
    (cst.SimpleString, change_string),
    (cst.SimpleStatementLine, forget),
    (cst.If, forget_case),
    (cst.FunctionDef, forget_decorator),
    (cst.Await, forget_to_wait),
    (cst.FormattedStringText, change_text),
]


class Mutation(NamedTuple):
    """A change of a text: the lines before and after it, and the whole text after it.

    The lines tell a person what was changed, wherever in the text they are.
    """

    before: str
    after: str
    text: str
    line: int  # the first that changes, counted from 1


@cache
def mutations(text: str) -> tuple[Mutation, ...]:
    """Return all small changes of the text of a module, each once."""
    module = cst.parse_module(text)
    changed = {
        code: None
        for node, whole in nodes(module, partial(cst.ensure_type, nodetype=cst.Module))
        for kind, operator in OPERATORS
        if isinstance(node, kind)
        for replacement in operator(node)
        if (code := whole(replacement).code) != text
    }
    return tuple(
        Mutation(*difference(text, after), after, first_difference(text, after))
        for after in changed
    )


Whole = Callable[[cst.CSTNode], cst.Module]


def nodes(node: Any, whole: Whole) -> Iterator[tuple[cst.CSTNode, Whole]]:
    """Yield the parts of the code that are worth a change.

    With each comes a function that returns the whole module with something else in its
    place. (deep_replace() of LibCST does so, too, but walks the module each time.)
    """
    yield node, whole
    for field in fields(node):
        value = getattr(node, field.name)
        for index, part in enumerate(value if is_several(value) else [value]):
            match node, part:
                case _, cst.Annotation():
                    continue  # nothing looks at it when the code runs
                case _, cst.SimpleStatementLine([cst.AnnAssign(value=None)]):
                    continue  # nothing happens there
                case _, cst.SimpleStatementLine(
                    [cst.Assign(value=cst.Call(cst.Name("TypeVar")))]
                ):
                    continue  # only type checkers look at it
                case _, cst.SimpleStatementLine([cst.Expr(cst.SimpleString())]):
                    continue  # a docstring
                case cst.Call() as call, cst.Arg() as argument if is_wording(
                    call, argument
                ):
                    continue  # that it is said matters; how, is a matter of taste
                case cst.Raise(), cst.Call(args=[cst.Arg(text)]) if is_text(text):
                    continue  # the same
                case cst.Module(), cst.SimpleStatementLine(
                    [cst.Import() | cst.ImportFrom()]
                ):
                    continue  # nothing works without it
                case _, cst.CSTNode():
                    place = Place(node, field.name, index)
                    yield from nodes(part, partial(put, whole, place))


def is_wording(call: cst.Call, argument: cst.Arg) -> bool:
    """Tell whether an argument is a text that is written to the log."""
    match call.func:
        case cst.Attribute(value=cst.Name("logger")) | cst.Name("warn"):
            return is_text(argument.value)
    return False


def is_text(node: cst.CSTNode) -> bool:
    texts = cst.SimpleString, cst.FormattedString, cst.ConcatenatedString
    return isinstance(node, texts)


class Place(NamedTuple):
    """Where a part of the code is: in which field, and the how many-th there."""

    node: cst.CSTNode
    field: str
    position: int


def put(whole: Whole, place: Place, replacement: cst.CSTNode) -> cst.Module:
    """Return the whole module with something else in a place."""
    node, field, position = place
    value: Any = getattr(node, field)
    if is_several(value):
        value = [*value[:position], replacement, *value[position + 1 :]]
    else:
        value = replacement
    return whole(node.with_changes(**{field: value}))


def is_several(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def difference(before: str, after: str) -> tuple[str, str]:
    """Return the lines of each text that the other one doesn't have."""
    old, new = before.splitlines(), after.splitlines()
    start = shared(old, new)
    old, new = old[start:], new[start:]
    end = shared(reversed(old), reversed(new))
    lines = [*difflib.ndiff(old[: len(old) - end], new[: len(new) - end])]
    removed, added = (
        "\n".join(line[2:].strip() for line in lines if line.startswith(sign))
        for sign in ["- ", "+ "]
    )
    return removed, added


def first_difference(before: str, after: str) -> int:
    """Return the number of the first line that is not the same."""
    return shared(before.splitlines(), after.splitlines()) + 1


def shared(one: Iterable[str], other: Iterable[str]) -> int:
    """Return how many lines both begin with."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _pair in takewhile(lambda pair: pair[0] == pair[1], pairs))

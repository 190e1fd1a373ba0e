"""What a tutorial says: its Markdown as a list of instructions.

markdown-it-py parses the Markdown, as CommonMark defines it. Sybil, a library for
documents that are executed, finds the fenced blocks, but not the prose around them,
which steers here; and it takes the indentation off a listing, which we compare.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])

LISTINGS = {"python", "js", "html", "css", "toml", "ini", "yaml", "makefile", "text"}

# The verbs that need a fenced block, and the languages that it may be in.
FENCED = {
    "create": LISTINGS,
    "replace": LISTINGS,
    "change": {"diff"},
    "read": LISTINGS,
    "run": {"console"},
    "start": {"console"},
    "look": {"console", "text"},
    "paste": {"js"},
    "in every terminal": {"console"},
}

# The verbs that stand alone, and how many `words in code` each needs.
INLINE = {
    "copy": 2,
    "delete": 1,
    "press": 0,
    "close": 0,
    "open": 1,
    "type": 2,
    "click": 1,
    "select": 2,
    "check": 1,
}

VERBS = [*FENCED, *INLINE]

ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth"]
TERMINAL = re.compile(rf"\b({'|'.join(ORDINALS)}) terminal\b", re.IGNORECASE)
CHAPTER = re.compile(r"(?:Chapter )?(\d\d)\b")
SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
FOLD = re.compile(r"<details>|</details>|<summary>(.*?)</summary>", re.DOTALL)


@dataclass(frozen=True)
class Fence:
    """A fenced block; its content starts on the line after ``line``."""

    line: int
    language: str
    content: str


@dataclass(frozen=True)
class Instruction:
    """One thing that the reader does."""

    line: int
    verb: str
    words: str
    codes: tuple[str, ...]
    terminal: int
    fence: Fence | None = None

    def __str__(self) -> str:
        return " ".join(f"**{self.verb.capitalize()}** {self.words}".split())


@dataclass(frozen=True)
class Solution:
    """The instructions that solve an exercise."""

    line: int
    instructions: list[Instruction] = field(default_factory=list)


@dataclass(frozen=True)
class Heading:
    line: int
    level: int
    text: str


@dataclass(frozen=True)
class Part:
    """What stands under one heading of the second level."""

    line: int
    title: str
    actions: list[Instruction | Solution] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)

    @property
    def chapter(self) -> str | None:
        """The number of the chapter, if it is one."""
        match = CHAPTER.match(self.title)
        return match and match[1]


class Fault(NamedTuple):
    """What is wrong in a document, and where."""

    line: int
    complaint: str


@dataclass(frozen=True)
class Document:
    parts: list[Part]
    diagrams: list[Fence]
    faults: list[Fault]

    @property
    def instructions(self) -> Iterator[Instruction]:
        """All instructions, those of the solutions included."""
        for part in self.parts:
            for action in part.actions:
                if isinstance(action, Solution):
                    yield from action.instructions
                else:
                    yield action


class Piece(NamedTuple):
    """A run of words of one kind: text, bold or code."""

    line: int
    kind: str
    text: str


def read_document(text: str) -> Document:
    """Return what a tutorial says; ``faults`` lists what cannot be followed."""
    reading = Reading()
    tokens = PARSER.parse(text)
    for index, token in enumerate(tokens):
        reading.read(token, tokens[index - 1], tokens[index + 1 : index + 3])
    if reading.folded is not None:
        reading.fault(text.count("\n"), "a folded part is not closed: </details>")
    return Document(reading.parts, reading.diagrams, sorted(reading.faults))


class Reading:
    """A document while it is read from its start to its end."""

    def __init__(self) -> None:
        self.parts = [Part(1, "The opening")]
        self.diagrams: list[Fence] = []
        self.faults: list[Fault] = []
        self.claimed: Token | None = None
        self.folded: str | None = None
        self.solution: Solution | None = None

    def read(self, token: Token, before: Token, after: list[Token]) -> None:
        match token.type:
            case "inline" if before.type == "heading_open":
                self.read_heading(token, int(before.tag[1:]))
            case "inline":
                fences = [next_ for next_ in after if next_.type == "fence"]
                self.read_prose(token, fences[0] if fences else None)
            case "fence":
                self.read_fence(token)
            case "code_block":
                self.fault(line_of(token), "a listing has no fence around it")
            case "html_block":
                self.read_html(token)

    def fault(self, line: int, complaint: str) -> None:
        self.faults.append(Fault(line, complaint))

    def read_heading(self, token: Token, level: int) -> None:
        heading = Heading(line_of(token), level, plain(token))
        if level == 2:
            self.parts.append(Part(heading.line, heading.text))
        self.parts[-1].headings.append(heading)

    def read_html(self, token: Token) -> None:
        """Enter or leave a folded part."""
        for match in FOLD.finditer(token.content):
            if match[0] == "</details>":
                self.folded = self.solution = None
            elif match[0] == "<details>":
                self.folded = ""
            else:
                self.folded = match[1].strip()
                if self.folded.startswith("Solution"):
                    self.solution = Solution(line_of(token))
                    self.parts[-1].actions.append(self.solution)

    def read_prose(self, token: Token, fence: Token | None) -> None:
        if fence is not None and not plain(token).endswith(":"):
            fence = None
        for sentence in sentences(pieces(token)):
            for instruction in self.instructions(sentence):
                needs_fence = instruction.verb in FENCED
                if needs_fence and fence is not None and fence is not self.claimed:
                    self.claimed = fence
                    instruction = replace(instruction, fence=fenced(fence))
                self.take(instruction)

    def instructions(self, sentence: list[Piece]) -> Iterator[Instruction]:
        """Yield the instructions of a sentence: each verb, and what follows it."""
        verbs = []
        for index, piece in enumerate(sentence):
            if piece.kind == "bold":
                verb = piece.text.lower()
                if verb in VERBS:
                    verbs.append(index)
                elif meant := get_close_matches(verb, VERBS, n=1, cutoff=0.75):
                    complaint = f"is **{piece.text}** meant to be **{meant[0]}**?"
                    self.fault(piece.line, complaint)
        if not verbs:
            return
        lead = "".join(piece.text for piece in sentence[: verbs[0]])
        for index, end in zip(verbs, [*verbs[1:], len(sentence)], strict=True):
            rest = sentence[index + 1 : end]
            words = "".join(piece.text for piece in rest)
            yield Instruction(
                line=sentence[index].line,
                verb=sentence[index].text.lower(),
                words=words,
                codes=tuple(piece.text for piece in rest if piece.kind == "code"),
                terminal=terminal_in(words) or terminal_in(lead) or 1,
            )

    def take(self, instruction: Instruction) -> None:
        """Add an instruction to the list where it belongs, if it can be followed."""
        if complaint := unfit(instruction):
            self.fault(instruction.line, f"{instruction}: {complaint}")
        elif self.solution is not None:
            self.solution.instructions.append(instruction)
        elif self.folded is not None:
            self.fault(instruction.line, f"{instruction}: it is folded away in a hint")
        else:
            self.parts[-1].actions.append(instruction)

    def read_fence(self, token: Token) -> None:
        """Complain about a fence that no instruction has claimed."""
        fence = fenced(token)
        if self.folded is not None and self.solution is None:
            self.fault(fence.line, "a fenced block is folded away in a hint")
        elif fence.language == "mermaid":
            self.diagrams.append(fence)
        elif token is not self.claimed:
            self.fault(
                fence.line,
                "no instruction claims this fenced block: the paragraph before it "
                "ends in a colon and has one of these in bold: "
                + ", ".join(verb.capitalize() for verb in FENCED),
            )


def unfit(instruction: Instruction) -> str | None:
    """Return why an instruction cannot be followed, if it cannot."""
    verb, fence, codes = instruction.verb, instruction.fence, instruction.codes
    if len(set(TERMINAL.findall(instruction.words.lower()))) > 1:
        return "it names several terminals"
    if verb in INLINE:
        if verb == "press" and "Ctrl-C" not in instruction.words:
            return "only Ctrl-C can be pressed"
        if verb == "close" and "terminal" not in instruction.words:
            return "only a terminal can be closed"
        if len(codes) != INLINE[verb]:
            return f"it needs {INLINE[verb]} `words in code`, and has {len(codes)}"
        return None
    if fence is None:
        return "a colon and a fenced block must follow"
    if fence.language not in FENCED[verb]:
        allowed = " or ".join(sorted(FENCED[verb]))
        return f"its fenced block must be {allowed}, not {fence.language or 'nothing'}"
    if verb in {"create", "replace", "change", "read"} and not codes:
        return "it names no file"
    types = fence.content.startswith("$ ")
    if verb in {"run", "start", "in every terminal"} and not types:
        return "its transcript must start with `$ ` and what is typed"
    if verb == "look" and "$ " in {line[:2] for line in fence.content.splitlines()}:
        return "to look is not to type: its transcript has a line with `$ `"
    return None


def terminal_in(words: str) -> int | None:
    """Return the number of the terminal that these words name, if they name one."""
    match = TERMINAL.search(words)
    return match and ORDINALS.index(match[1].lower()) + 1


def sentences(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    sentence: list[Piece] = []
    for piece in pieces:
        is_text = piece.kind == "text"
        first, *others = SENTENCE_END.split(piece.text) if is_text else [piece.text]
        sentence.append(piece._replace(text=first))
        for text in others:
            yield sentence
            sentence = [piece._replace(text=text)]
    yield sentence


def pieces(inline: Token) -> Iterator[Piece]:
    """Yield the words of a paragraph: its lines joined, bold and code kept apart."""
    line, kind, text = line_of(inline), "text", ""
    for token in inline.children or []:
        match token.type:
            case "strong_open" | "strong_close":
                yield Piece(line, kind, text)
                kind = "bold" if token.type == "strong_open" else "text"
                text = ""
            case "code_inline" if kind == "text":
                yield Piece(line, kind, text)
                yield Piece(line, "code", token.content)
                text = ""
            case "softbreak" | "hardbreak":
                line += 1
                text += " "
            case _:
                text += token.content
    yield Piece(line, kind, text)


def plain(inline: Token) -> str:
    """Return the words of a paragraph or heading, without markup."""
    return "".join(piece.text for piece in pieces(inline))


def fenced(token: Token) -> Fence:
    return Fence(line_of(token), token.info.strip(), token.content)


def line_of(token: Token) -> int:
    assert token.map is not None
    return token.map[0] + 1

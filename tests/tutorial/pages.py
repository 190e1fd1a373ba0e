"""Pages of Markdown, and what must be true of each of them.

Each claim is a function that yields what is wrong, and on which line.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it.token import Token

from .document import PARSER, Document, Fault, Heading, line_of, read_document

PAGES = ["tutorial.md", "README.md", "final/README.md", "tests/bench/README.md"]
PICTURES = "steps/pictures"

# Words that make a reader feel slow, and spellings that are not British.
BANNED = re.compile(r"\b(simply|just|obviously)\b", re.IGNORECASE)
AMERICAN = re.compile(
    r"\b((un)?authoriz|behavior|cataloging|cancel(ed|ing)\b|center|color|customiz|"
    r"favorite|initializ|minimiz|normaliz|optimiz|organiz|recogniz|serializ|"
    r"summariz|synchroniz)\w*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Page:
    """A page of Markdown in a repository."""

    root: Path
    name: str

    @cached_property
    def text(self) -> str:
        return (self.root / self.name).read_text(encoding="utf-8")

    @cached_property
    def tokens(self) -> list[Token]:
        return PARSER.parse(self.text)

    @cached_property
    def document(self) -> Document:
        return read_document(self.text)

    @property
    def headings(self) -> list[Heading]:
        return [heading for part in self.document.parts for heading in part.headings]

    def inlines(self) -> Iterator[tuple[int, Token]]:
        """Yield the parts of all paragraphs, with their lines."""
        for token in self.tokens:
            if token.type == "inline":
                line = line_of(token)
                for child in token.children or []:
                    line += child.type in {"softbreak", "hardbreak"}
                    yield line, child

    def html(self) -> Iterator[tuple[int, str, dict[str, str]]]:
        """Yield the tags that are written in HTML: line, name and attributes."""
        for token in self.tokens:
            if token.type == "html_block":
                yield from Tags.of(token.content, line_of(token))
        for line, token in self.inlines():
            if token.type == "html_inline":
                yield from Tags.of(token.content, line)


class Tags(HTMLParser):
    """The tags of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[int, str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((self.getpos()[0], tag, attributes))

    @classmethod
    def of(cls, html: str, first: int) -> Iterator[tuple[int, str, dict[str, str]]]:
        parser = cls()
        parser.feed(html)
        for line, tag, attributes in parser.tags:
            yield first + line - 1, tag, attributes


def links_resolve(page: Page) -> Iterator[Fault]:
    """Every link leads to a file, a heading, or a well-formed address."""
    for line, target in links(page):
        url = urlsplit(target)
        if url.scheme:
            if url.scheme not in {"http", "https", "mailto"} or " " in target:
                yield Fault(line, f"the address {target} is not well-formed")
            continue
        file = (page.root / page.name).parent / unquote(url.path)
        if not url.path:
            file = page.root / page.name
        if not file.exists():
            yield Fault(line, f"the link {target} leads to no file")
        elif url.fragment and url.fragment not in anchors(file):
            yield Fault(line, f"the link {target} leads to no heading")


def links(page: Page) -> Iterator[tuple[int, str]]:
    for line, token in page.inlines():
        if token.type == "link_open":
            yield line, str(token.attrs["href"])
    for line, tag, attributes in page.html():
        if tag == "a" and "href" in attributes:
            yield line, attributes["href"]


def anchors(file: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in Page(file.parent, file.name).headings:
        words = re.sub(r"[^\w\- ]", "", heading.text.lower()).replace(" ", "-")
        anchor, count = words, 0
        while anchor in found:
            count += 1
            anchor = f"{words}-{count}"
        found.add(anchor)
    return found


def pictures_exist(page: Page) -> Iterator[Fault]:
    """Every picture exists, and has a text for those who cannot see it."""
    for line, source, alternative in pictures(page):
        file = (page.root / page.name).parent / unquote(source)
        if not urlsplit(source).scheme and not file.is_file():
            yield Fault(line, f"there is no picture {source}")
        if not alternative.strip():
            yield Fault(line, f"the picture {source} has no alternative text")


def pictures(page: Page) -> Iterator[tuple[int, str, str]]:
    for line, token in page.inlines():
        if token.type == "image":
            yield line, str(token.attrs["src"]), token.content
    for line, tag, attributes in page.html():
        if tag == "img":
            yield line, attributes.get("src", ""), attributes.get("alt", "")


def headings_nest(page: Page) -> Iterator[Fault]:
    """There is one title, and no level of headings is left out."""
    level = 0
    for heading in page.headings:
        if heading.level > level + 1:
            complaint = f"level {heading.level} follows level {level}: {heading.text}"
            yield Fault(heading.line, complaint)
        if (heading.level == 1) != (level == 0):
            yield Fault(heading.line, f"a page has one title, first: {heading.text}")
        level = heading.level


def words_are_kind_and_british(page: Page) -> Iterator[Fault]:
    """The prose has no words that belittle, and British spelling."""
    for line, token in page.inlines():
        if token.type == "text":
            for match in BANNED.finditer(token.content):
                yield Fault(line, f"the tutorial never says {match[0]!r}")
            for match in AMERICAN.finditer(token.content):
                yield Fault(line, f"{match[0]!r} is not British spelling")


Claim = Callable[[Page], Iterator[Fault]]

ABOUT_PAGES: list[Claim] = [
    links_resolve,
    pictures_exist,
    headings_nest,
    words_are_kind_and_british,
]


def complaints(page: Page, claim: Claim) -> list[str]:
    """Return what is wrong with a page, as sentences that say where."""
    return [f"{page.name}, line {line}: {what}" for line, what in sorted(claim(page))]


def pictures_are_used(root: Path) -> Iterator[str]:
    """Yield the pictures that are on no page."""
    shown = {
        ((root / page.name).parent / unquote(source)).resolve()
        for page in pages(root)
        for _line, source, _alternative in pictures(page)
    }
    for picture in sorted((root / PICTURES).glob("*")):
        if picture.resolve() not in shown:
            yield f"{PICTURES}/{picture.name} is on no page"


def pages(root: Path) -> list[Page]:
    return [Page(root, name) for name in PAGES if (root / name).is_file()]

"""What final/README.md says: the blocks and the tables under its headings."""

from collections.abc import Iterator

from .document import PARSER
from .surroundings import ROOT

TEXT = (ROOT / "final" / "README.md").read_text()


def section(title: str) -> str:
    """Return what stands under a heading, up to the next one that is not below it."""
    lines = TEXT.splitlines(keepends=True)
    headings = [
        (token.map[0], token.tag)
        for token in PARSER.parse(TEXT)
        if token.type == "heading_open" and token.map
    ]
    [(start, tag)] = [
        (line, tag) for line, tag in headings if lines[line].strip("# \n") == title
    ]
    after = [line for line, other in headings if line > start and other <= tag]
    return "".join(lines[start + 1 : min(after, default=None)])


def blocks(title: str, language: str) -> list[str]:
    """Return the blocks of a language under a heading."""
    tokens = PARSER.parse(section(title))
    return [
        token.content
        for token in tokens
        if token.type == "fence" and token.info == language
    ]


def rows(title: str) -> Iterator[list[str]]:
    """Yield the rows of the tables under a heading, without their heads."""
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if not line.startswith("| ---") and not after.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]

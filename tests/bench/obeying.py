"""How the processes of the benchmark talk: lines of JSON, there and back."""

import json
import os
import sys
from collections.abc import Iterator
from typing import Any


class Orders:
    """What the parent wants, line by line."""

    def __init__(self) -> None:
        self.descriptor = sys.stdin.fileno()
        self.ended = False
        self.rest = b""

    def read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Wait for orders, and yield what to do, and how."""
        data = os.read(self.descriptor, 1_048_576)
        self.ended = not data
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            yield order.pop("do"), order


def reply(**content: Any) -> None:
    """Tell the parent."""
    print(json.dumps(content), flush=True)

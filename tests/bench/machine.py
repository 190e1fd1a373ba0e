"""The machine that a benchmark runs on, as its results tell it."""

import os
import platform
import re
import subprocess
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = [
    *["channels", "channels_redis", "daphne", "django", "redis", "uvicorn", "uvloop"],
    "websockets",
]
PROGRAMS = {
    "node": ["node", "--version"],
    "redis-server": ["redis-server", "--version"],
}


def description() -> dict[str, Any]:
    """Return what is to be known about the machine, and about what runs on it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": date.today().isoformat(),
        "processor": processor(Path("/proc/cpuinfo").read_text()),
        "cores": len(os.sched_getaffinity(0)),
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": versions(),
    }


def processor(cpuinfo: str) -> str:
    """Return the name of the processor, if Linux knows it."""
    found = re.search(r"^model name\s*: (.+)$", cpuinfo, re.MULTILINE)
    return found[1] if found else platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of what is installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    for name, command in PROGRAMS.items():
        try:
            said = subprocess.run(command, capture_output=True, text=True, check=True)
        except FileNotFoundError:
            continue
        if number := re.search(r"\d+(\.\d+)+", said.stdout):
            found[name] = number[0]
    return found

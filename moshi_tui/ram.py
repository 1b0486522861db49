"""How much memory is left for this process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ram:
    """In bytes."""

    total: int
    available: int
    """What can be taken without swapping; all of it where the system does not say."""
    limited: bool
    """Whether a container allows less than the machine has."""


def ram(root: Path = Path("/")) -> Ram:
    """Of this machine, or of the container (cgroup) that we are in."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    info = _numbers(root / "proc/meminfo", ":", 1024)
    total = info.get("MemTotal", pages)
    available = info.get("MemAvailable", total)
    allowed = [limit for folder in _cgroups(root) if (limit := _limit(folder)) is not None]
    if not allowed:
        return Ram(total, available, limited=False)
    most = min(limit for limit, _ in allowed)
    left = min(left for _, left in allowed)
    return Ram(min(total, most), min(available, left), limited=most < total)


def _cgroups(root: Path) -> list[Path]:
    """The folders of our control group and of those around it."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    folders = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top = root / "sys/fs/cgroup" / controllers
        inner = top / path.strip("/")
        folders += [inner, *(each for each in inner.parents if each.is_relative_to(top))]
    return folders


def _limit(folder: Path) -> tuple[int, int] | None:
    """What the group allows and what of it is left; None without a limit."""
    for limit, used, cache in (
        ("memory.max", "memory.current", "inactive_file"),  # version 2
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            most = int((folder / limit).read_text())
            taken = int((folder / used).read_text())
        except (OSError, ValueError):  # there is none, or it is "max"
            continue
        # What files fill is given back when somebody wants it.
        given_back = _numbers(folder / "memory.stat", " ", 1).get(cache, 0)
        return most, max(0, most - max(0, taken - given_back))
    return None


def _numbers(path: Path, separator: str, unit: int) -> dict[str, int]:
    """Lines like "MemTotal:  16 kB" as {"MemTotal": 16 * unit}; {} if there is no such file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition(separator) for line in lines)
    return {
        name: int(value.split()[0]) * unit
        for name, _, value in pairs
        if value.split() and value.split()[0].isdecimal()
    }

from __future__ import annotations

from pathlib import Path

from moshi_tui.ram import Ram, ram

GB = 10**9


def fill(root: Path, **files: str) -> Path:
    for name, text in {"proc/meminfo": MEMINFO, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MEMINFO = "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:   12000000 kB\nHugePages: 0\n"


def test_memory_of_the_machine(tmp_path: Path) -> None:
    assert ram(fill(tmp_path)) == Ram(16_384_000_000, 12_288_000_000, limited=False)


def test_memory_of_a_container(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/docker/abc"
    files = {
        "proc/self/cgroup": "0::/docker/abc\n",
        f"{group}/memory.max": "max\n",
        "sys/fs/cgroup/docker/memory.max": f"{8 * GB}\n",
        "sys/fs/cgroup/docker/memory.current": f"{5 * GB}\n",
        "sys/fs/cgroup/docker/memory.stat": f"anon 1\ninactive_file {2 * GB}\n",
    }
    assert ram(fill(tmp_path, **files)) == Ram(8 * GB, 5 * GB, limited=True)


def test_memory_of_an_older_container(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:memory:/box\n3:cpu:/box\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{4 * GB}",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{GB}",
    }
    assert ram(fill(tmp_path, **files)) == Ram(4 * GB, 3 * GB, limited=True)


def test_memory_of_a_system_that_says_little(tmp_path: Path) -> None:
    found = ram(tmp_path)
    assert found.available == found.total > GB

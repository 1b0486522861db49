"""What the first bytes of a safetensors file promise.

Source of the format: github.com/huggingface/safetensors, README.
"""

from __future__ import annotations

import json
from pathlib import Path


def promised_size(path: Path) -> int | None:
    """How many bytes the file should have, going by its start; none if that is not safetensors.

    It has 8 bytes with the length of a JSON header, the header, and the tensors at its offsets.
    """
    with path.open("rb") as file:
        start = file.read(9)
        length = int.from_bytes(start[:8], "little")
        if len(start) < 9:
            return 9
        if start[8:] != b"{" or path.stat().st_size < 8 + length:
            return 8 + length if start[8:] == b"{" else None
        file.seek(8)
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"]
        except (ValueError, LookupError, TypeError, AttributeError):
            return None
    return 8 + length + max(ends, default=0)

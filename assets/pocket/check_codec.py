"""Compare the PyTorch codec with moshi_tui's NumPy codec on one exported file.

PYTHONPATH=. python assets/pocket/check_codec.py W/mimi-pocket.safetensors [--wav F.npy]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import shapes
import torch
from codec import Mimi, export, load_exported

from moshi_tui.codec.pocket import Pocket

LEAST_EQUAL = 0.999
MOST_APART = 1e-4


def main() -> int:
    """Print how equal they are; 1 if not enough."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="default: random weights")
    parser.add_argument("--pcm", type=Path, help=".npy int16 [2, N] at 16 kHz; default: noise")
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = args.file or _random(Path(folder))
        equal, apart = compare(path, _sound(args.pcm, args.seconds))
    print(f"frames with equal codes {equal:.3%}, sound at most {apart:.2e} apart", flush=True)
    return int(equal < LEAST_EQUAL or apart > MOST_APART)


def compare(path: Path, pcm: np.ndarray) -> tuple[float, float]:
    """The share of frames with equal codes, and how far apart the sound of equal codes is."""
    ours, theirs = load_exported(path), Pocket.open(path, shapes.CODEBOOKS)
    codes = ours.encode(torch.from_numpy(pcm)[None])
    expected = theirs.encode(pcm)
    equal = (codes[0].numpy() == expected).all(axis=0)
    sound = ours.decode(torch.from_numpy(expected.astype(np.int64))[None])[0].numpy()
    return float(equal.mean()), float(np.abs(sound - theirs.decode(expected)).max())


def _random(folder: Path) -> Path:
    """A file of random weights whose codebooks are of the latents' scale."""
    torch.manual_seed(0)
    mimi = Mimi()
    latents = mimi.embed(torch.from_numpy(_sound(None, 60.0))[None]).flatten(0, 1)
    mimi.quantizer.fill(latents)
    path = folder / "mimi-random.safetensors"
    export(mimi.state_dict(), path)
    return path


def _sound(path: Path | None, seconds: float) -> np.ndarray:
    """[T * 1920] float32 at 24 kHz."""
    samples = round(seconds * shapes.FRAME_RATE) * shapes.FRAME
    if path is None:
        rng = np.random.default_rng(0)
        level = np.repeat(rng.uniform(0, 0.2, samples // 480), 480)
        return (rng.standard_normal(samples) * level).astype(np.float32)
    from speech_data import to_24k

    pcm = np.load(path, mmap_mode="r")[0, : samples * 2 // 3]
    return to_24k(torch.from_numpy(np.array(pcm))[None])[0].numpy()


if __name__ == "__main__":
    sys.exit(main())

"""A step in one launch: our own CUDA kernel. `step.cu` is where to begin, `runner.py` uses it."""

"""A step in one launch: our own CUDA kernel. `step.cu` is the kernel, `runner.py` uses it."""

"""`moshi-tui doctor`: will Moshi run here, and keep up? Asked before anyone downloads gigabytes.

Each check is a function that returns findings. What is heavy or may crash (MLX, PortAudio, the
codec) is measured in processes of its own (`tasks.py`), and judged here by plain functions of
numbers. `command.run` puts it together.
"""

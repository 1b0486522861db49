"""What `--demo` runs on: a small random checkpoint and a recorded voice."""

"""What `--demo` runs on: Pocket Moshi, a small trained checkpoint, and somebody who talks to it."""

"""Measurements that anyone can repeat: `moshi-tui bench` and what it names."""

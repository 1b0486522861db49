"""Settings from the command line, the environment and `config.toml`, in this order of strength."""

"""The screen: Textual, and nothing of the engine but `engine_port`."""

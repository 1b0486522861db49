"""A talk: loading, the engine and its threads. Knows nothing of a screen."""

"""From the configuration of other sensors to ours. One module reads theirs, the others say what becomes of it."""

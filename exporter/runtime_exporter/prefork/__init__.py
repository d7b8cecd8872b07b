"""Several workers of one service that answer for each other: they share a run directory, a port and an exposition."""

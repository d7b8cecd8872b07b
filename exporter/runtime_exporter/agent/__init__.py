"""Other processes: a PID, a Go pprof endpoint, a list of targets."""

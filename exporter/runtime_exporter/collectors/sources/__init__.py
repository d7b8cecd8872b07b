"""Where the collectors' numbers come from: files, system calls and the interpreter. Knows no metrics."""

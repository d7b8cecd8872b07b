"""What a reader of configuration files says of a file that it cannot read."""

from __future__ import annotations


class MalformedError(Exception):
    """What is wrong, and the line and column (from 1) where it was noticed."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column

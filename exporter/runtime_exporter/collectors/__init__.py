"""The process, turned into metric families."""

"""A Go service that serves net/http/pprof: its profiles window by window, and what its runtime says of itself."""

from runtime_exporter.agent.go.target import GoTarget

__all__ = ["GoTarget"]

"""Performance monitoring for Python services on Prometheus: the public API."""

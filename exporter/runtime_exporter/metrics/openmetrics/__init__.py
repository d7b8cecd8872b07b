"""The OpenMetrics twin, at the path that prometheus_client gives it."""

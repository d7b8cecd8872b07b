import platform

from runtime_exporter.collectors.python import PythonCollector


def test_the_interpreter_is_described_as_prometheus_client_describes_it(values):
    collector = PythonCollector()

    collector.update()

    major, minor, patch = platform.python_version_tuple()
    labels = f"version={platform.python_version()},implementation={platform.python_implementation()},major={major},minor={minor},patchlevel={patch}"
    assert {"python_info{" + labels + "}": 1.0} == values(collector)

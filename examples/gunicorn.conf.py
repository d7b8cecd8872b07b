"""Four workers that answer as one service: `gunicorn -c examples/gunicorn.conf.py --chdir examples flask_app:app`.

`runtime-exporter run -- gunicorn -w 4 …` needs no such file: it makes a directory by itself, and starts the exporter.
"""

from pathlib import Path

directory = Path("/dev/shm/shop")  # noqa: S108 - of this service alone
directory.mkdir(mode=0o700, exist_ok=True)

workers = 4
raw_env = [f"RUNTIME_EXPORTER_RUN_DIRECTORY={directory}"]


def post_worker_init(_: object) -> None:
    """Start the exporter in each worker, once the application is loaded."""
    import runtime_exporter

    runtime_exporter.start()

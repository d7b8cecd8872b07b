"""`python -m runtime_exporter` is the command `runtime-exporter`."""

from runtime_exporter.cli import main

if __name__ == "__main__":
    main(prog_name="runtime-exporter")

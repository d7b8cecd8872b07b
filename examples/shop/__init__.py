"""An e-commerce back end with faults that can be switched on: the service that the demo and the tests watch.

Run it from the directory above: `python -m shop`.
"""

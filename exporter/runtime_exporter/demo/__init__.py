"""`runtime-exporter demo`: the whole stack on loopback, six faults, each watched from its beginning to its message."""

"""The whole stack on loopback, with a faulty shop in it."""

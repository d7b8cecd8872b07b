"""Measurements against the peers: paired in one process or in alternation, medians of ratios, noise floor beside them."""

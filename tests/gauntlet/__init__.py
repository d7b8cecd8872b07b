"""The detector gauntlet: labelled histories of simulated services, and how the generated alerts judge them.

`python -m gauntlet` from tests/, or `make gauntlet`. What is simulated is the service alone: the histories go through promtool into a
real Prometheus, the rules are the generated ones.
"""

"""Remediation: runs commands that a file lists for alerts that it names, and nothing else. Off until somebody switches it on."""

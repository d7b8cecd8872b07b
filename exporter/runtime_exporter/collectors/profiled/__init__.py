"""What the series of profiles are, and where their values come from in a report."""

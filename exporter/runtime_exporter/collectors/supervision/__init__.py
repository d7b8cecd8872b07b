"""How collectors are run: timed, judged, in the scrape or in the background, inside a budget."""

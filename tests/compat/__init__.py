"""The same rules elsewhere: in a newer Prometheus, in VictoriaMetrics with vmalert, over shards and agents, in the grammar of 3.x."""

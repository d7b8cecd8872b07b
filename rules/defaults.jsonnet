// What a user's configuration is checked against, before anything is generated from it.
{ config: (import 'config.libsonnet')._config }

// What a user's configuration is checked against, before anything is generated from it, and the tables that dashboards and docs read.
{
  config: (import 'config.libsonnet')._config,
  sources: import 'sources.libsonnet',
  signals: import 'catalogue.libsonnet',
}

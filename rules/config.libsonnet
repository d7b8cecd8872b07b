// Every knob of the mixin, with its default. Overridden by the user's YAML (a JSON merge patch: null deletes).
{
  _config+:: {
    // --- rules (rules/) -----------------------------------------------------------------------------------------
    // --- dashboards (dashboards/) -------------------------------------------------------------------------------
    // Every dashboard carries these tags; the links between the dashboards follow the first. Change them when two
    // bundles live in one Grafana.
    dashboardTags: ['runtime-exporter'],
    // In front of every dashboard's title.
    dashboardNamePrefix: 'Runtime exporter / ',
    // Alerts link to these; they stay the same over releases, so that bookmarks do. At most 40 characters.
    dashboardUids: {
      overview: 'runtime-exporter-overview',
      runtime: 'runtime-exporter-runtime',
      http: 'runtime-exporter-http',
      exporter: 'runtime-exporter-exporter',
    },
    // The time range a dashboard opens with, and how often it asks again ('' = only when told).
    dashboardPeriod: 'now-1h',
    dashboardRefresh: '30s',
    // 'browser', 'utc' or a name of the IANA time zone database.
    dashboardTimezone: 'browser',
    // The data source that is chosen at first: a name or uid in Grafana; 'default' is Grafana's default Prometheus.
    datasourceName: 'default',
    // Limits the data sources to choose from, as '/prod-.*/'; '' offers every Prometheus.
    datasourceFilterRegex: '',
    // Show the namespace variable; worth it where targets carry that label (Kubernetes). It is there, hidden, without.
    showNamespace: false,
    // --- Alertmanager (alertmanager/) ---------------------------------------------------------------------------
  },
}

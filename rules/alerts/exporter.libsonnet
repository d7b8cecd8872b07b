// The exporter's own health: what it does not see, what it costs, what it had to leave out.
local alert = import '../lib/alert.libsonnet';
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local number = import '../lib/number.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local instance = { level: 'instance', dashboard: 'exporter' },

  prometheusAlerts+:: {
    groups+: group(config, 'exporter', {
      collectorFailing:
        local settings = config.alerts.collectorFailing;
        alert(settings, instance {
          name: 'RuntimeExporterCollectorFailing',
          expr: fill('max_over_time(%s[%s]) == 0', [signals.collectorSuccess, settings.window]),
          summary: 'A collector of the exporter fails.',
          description: 'The collector {{ $labels.collector }} of ' + labels.where.instance + ' fails: its metrics are missing or old,'
                       + ' and alerts on them are blind.',
          actions: [
            'Read the reason: the exporter logs one line when a collector begins to fail (logger runtime_exporter).',
            'PermissionError: give the process read access to /proc and /sys/fs/cgroup (hidepid, seccomp, container profile).',
            'Not needed here? Leave it out: RUNTIME_EXPORTER_COLLECTORS=-NAME.',
          ],
        }),
      overBudget:
        local settings = config.alerts.overBudget;
        alert(settings, instance {
          name: 'RuntimeExporterOverBudget',
          expr: fill('sum without (part) (avg_over_time(%s[%s])) > %s * max_over_time(%s[%s])', [
            signals.overhead,
            settings.window,
            number(settings.ratio),
            signals.overheadBudget,
            settings.window,
          ]),
          summary: 'The exporter costs more CPU than it may.',
          description: 'The exporter in ' + labels.where.instance + ' uses {{ $value | humanizePercentage }} of a core, more than its budget.',
          actions: [
            'See which part costs it: runtime_exporter_overhead_ratio by part on the dashboard.',
            'See whether there are too many series: runtime_exporter_series; lower route_limit or label_limit.',
            'Scrape less often, or scrape it once: several Prometheus servers each pay for their own scrape.',
            'Accept it: raise RUNTIME_EXPORTER_OVERHEAD_BUDGET.',
          ],
        }),
      scrapeSlow:
        local settings = config.alerts.scrapeSlow;
        alert(settings, instance {
          name: 'RuntimeExporterScrapeSlow',
          expr: fill('avg_over_time(%s[%s]) > %s', [
            signals.scrapeDuration,
            config.rateInterval,
            number(settings.ratio * duration.seconds(config.scrapeTimeout)),
          ]),
          summary: 'Scraping an instance takes long.',
          description: 'A scrape of ' + labels.where.instance + ' takes {{ $value | humanizeDuration }}; at ' + config.scrapeTimeout
                       + ' it fails and data is missing.',
          actions: [
            'Compare with runtime_exporter_scrape_duration_seconds: if that is short, the process is too busy to answer (CPU, GIL).',
            'See which collector takes long: runtime_exporter_collector_duration_seconds by collector.',
            'See how many samples come: scrape_samples_scraped. Over 10,000: lower route_limit and label_limit.',
            'See whether the CPU limit holds it back: RuntimeCpuThrottled.',
          ],
        }),
      labelsFolded:
        local settings = config.alerts.labelsFolded;
        alert(settings, instance {
          name: 'RuntimeLabelsFolded',
          expr: fill('increase(%s[%s]) > %s', [signals.folded, settings.window, number(settings.folded)]),
          summary: 'A metric has more label values than it may keep.',
          description: '{{ $labels.family }} of ' + labels.where.instance + ' has more label values than its limit:'
                       + ' {{ $value | humanize }} observations went to "other" within the last ' + settings.window + '.',
          actions: [
            'Look at the values: do they hold an ID, a path or a name of a user? Give the route or the thread a fixed name.',
            'Unknown paths (scanners, 404) belong to no route: see that the framework is recognised.',
            'If so many values are meant, raise the limit: RUNTIME_EXPORTER_ROUTE_LIMIT, RUNTIME_EXPORTER_LABEL_LIMIT.',
          ],
        }),
    }),
  },
}

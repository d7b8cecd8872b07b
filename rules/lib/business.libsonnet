// The user's business metrics (`_config.businessMetrics`): the expression that each is recorded by, and how its value is told.
//
// `runtime-exporter generate` checks what a user's YAML says and completes it (exporter/runtime_exporter/mixin/business.py says
// what each may hold). Who writes jsonnet gives metric, kind, title, recorded (the name without its operation), unit, by, selector
// and what the kind needs: per (counter), aggregation (gauge), quantile (histogram).
local fill = import 'fill.libsonnet';
local labelsOf = import 'labels.libsonnet';
local number = import 'number.libsonnet';

// Counters are recorded per second, as all rates are, and shown and compared per `per`.
local seconds = { second: 1, minute: 60, hour: 3600 };

function(config)
  local rate = 'rate' + config.rateInterval;
  local by(metric) = std.join(', ', [labelsOf(config).job] + metric.by);
  local selected(metric, suffix='') =
    fill('%s%s{%s}', [metric.metric, suffix, std.join(',', [part for part in [config.selector, metric.selector] if part != ''])]);
  local kinds = {
    counter(metric):: {
      record: fill('%s:%s', [metric.recorded, rate]),
      expr: fill('sum by (%s) (rate(%s[%s]))', [by(metric), selected(metric), config.rateInterval]),
      value: if metric.per == 'second' then self.record else '%d * %s' % [seconds[metric.per], self.record],
      said: ' per ' + metric.per,
    },
    gauge(metric):: {
      record: fill('%s:%s', [metric.recorded, metric.aggregation]),
      expr: fill('%s by (%s) (%s)', [metric.aggregation, by(metric), selected(metric)]),
      value: self.record,
      said: '',
    },
    histogram(metric):: {
      record: fill('%s:%s', [metric.recorded, rate]),
      expr: fill('sum by (%s, le) (rate(%s[%s]))', [by(metric), selected(metric, '_bucket'), config.rateInterval]),
      value: fill('histogram_quantile(%s, %s)', [number(metric.quantile), self.record]),
      said: fill(' (p%s)', number(100 * metric.quantile)),
    },
  };
  [metric + kinds[metric.kind](metric) for metric in config.businessMetrics]

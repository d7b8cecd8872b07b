// A signal outside its band: lib/anomalies.libsonnet says which, recording/anomaly.libsonnet how wide.
local alert = import '../lib/alert.libsonnet';
local anomalies = import '../lib/anomalies.libsonnet';
local enabled = import '../lib/enabled.libsonnet';
local fill = import '../lib/fill.libsonnet';
local number = import '../lib/number.libsonnet';
local signalsOf = import '../signals.libsonnet';

// Mimir takes no more rules in one group.
local groupSize = 20;

{
  local config = $._config,
  local season = anomalies.season,
  local settings = std.get(config.alerts, 'anomaly'),
  local recorded = signalsOf(config).recorded.anomaly,
  local inCluster = if config.showMultiCluster then fill(' in cluster {{ $labels.%s }}', config.clusterLabel) else '',

  // Nothing at all, where the same hour was never without, yesterday and a week ago: told also where the band reaches below 0.
  local stopped(spec) =
    local value = recorded.value + '{anomaly="' + spec.name + '"}';
    local never(offset) = 'and min_over_time(' + value + '[' + season.window + '] offset ' + offset + ') > 0';
    std.join('\n', [
      '# nothing at all, where the same hour was never without',
      'or ' + value + ' == 0',
      never(season.dayCenter),
    ] + (if spec.season == 'week' then [never(season.weekCenter)] else []) + [
      'and ' + recorded.low + '{anomaly="' + spec.name + '"} > ' + number(spec.minDeviation),
    ]),

  local sides = {
    high: { operator: ' > ', limit: recorded.upper, word: 'above', more: function(spec) '' },
    low: { operator: ' < ', limit: recorded.lower, word: 'below', more: function(spec) '\n' + stopped(spec) },
  },

  local told(spec, direction) =
    local matcher = '{anomaly="' + spec.name + '"}';
    local side = sides[direction];
    alert(settings { severity: spec.severity }, {
      name: 'RuntimeAnomaly',
      level: 'job',
      dashboard: 'alerts',
      labels: { anomaly: spec.name, direction: direction },
      expr: recorded.value + matcher + side.operator + side.limit + matcher + side.more(spec),
      summary: 'A signal is outside of the band in which it is expected.',
      description: spec.name + ' of {{ $labels.job }}' + inCluster + ' is {{ $value | humanize }}, ' + side.word
                   + ' what is usual at this time of the day' + (if spec.season == 'week' then ' and of the week' else '') + '.',
      actions: [
        'See since when and how far: the signal and its band on the Alerts dashboard.',
        'Look for what is told of the same service, and for what was released or switched on just before.',
        'A campaign, a holiday or a new client is no fault: silence it, the band knows it a day later.',
      ],
    }),

  local rules = if !config.alerts.enabled || !enabled(settings) then [] else std.flattenArrays([
    told(spec, direction)
    for spec in anomalies.of(config)
    for direction in (if spec.direction == 'both' then ['high', 'low'] else [spec.direction])
  ]),
  local count = std.ceil(std.length(rules) / groupSize),

  prometheusAlerts+:: {
    groups+: [
      {
        name: fill('runtime-anomaly%s.alerts', (if index == 0 then '' else '-%d' % (index + 1))),
        interval: config.evaluationInterval,
        rules: rules[index * groupSize:(index + 1) * groupSize],
      }
      for index in std.range(0, count - 1)
    ],
  },
}

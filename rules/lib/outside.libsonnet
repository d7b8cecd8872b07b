// The alerts about the user's business metrics: a value above or below what its entry says.
//
// They are the user's own, as customAlerts are: there is no runbook page for them, so its URL is not made up.
local alert = import 'alert.libsonnet';
local businessOf = import 'business.libsonnet';
local fill = import 'fill.libsonnet';
local labelsOf = import 'labels.libsonnet';
local number = import 'number.libsonnet';

local groupSize = 20;

// above: what is to be true is `>`.
local sides = { above: { operator: '>', word: 'High' }, below: { operator: '<', word: 'Low' } };

local rules(config, metric) = std.flattenArrays([
  local side = sides[key];
  local bound = number(metric.alert[key]);
  local parts = [fill(' %s={{ $labels.%s }}', [label, label]) for label in metric.by];
  [
    rule {
      annotations: {
        summary: fill('%s: the value is too %s.', [metric.title, std.asciiLower(side.word)]),
        description: fill('%s of %s%s: {{ $value | humanize }}%s, %s %s.', [
          metric.title,
          labelsOf(config).where.job,
          std.join('', parts),
          metric.said,
          key,
          bound,
        ]),
        dashboard_url: fill('%s/d/%s%s', [
          std.rstripChars(config.grafanaUrl, '/'),
          config.dashboardUids.business,
          labelsOf(config).variables.job,
        ]),
      },
    }
    for rule in alert(metric.alert, {
      name: metric.alertName + side.word,
      level: 'job',
      dashboard: 'business',
      expr: fill('%s %s %s', [metric.value, side.operator, bound]),
      summary: '',
      description: '',
      actions: [],
    })
  ]
  for key in std.objectFields(sides)
  if std.get(metric.alert, key) != null
]);

function(config)
  local all = if !config.alerts.enabled then [] else std.flattenArrays([
    rules(config, metric)
    for metric in businessOf(config)
    if std.get(metric, 'alert') != null
  ]);
  [
    {
      name: fill('runtime-business%s.alerts', (if index == 0 then '' else '-%d' % (index + 1))),
      interval: config.evaluationInterval,
      rules: all[index * groupSize:(index + 1) * groupSize],
    }
    for index in std.range(0, std.ceil(std.length(all) / groupSize) - 1)
  ]

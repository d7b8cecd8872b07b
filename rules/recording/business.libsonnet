// The user's business metrics of each service: for alerts, and for comparisons over weeks.
local businessOf = import '../lib/business.libsonnet';
local fill = import '../lib/fill.libsonnet';

// Mimir takes no more rules in one group.
local groupSize = 20;

{
  local config = $._config,
  local rules = [{ record: metric.record, expr: metric.expr } for metric in businessOf(config)],

  prometheusRules+:: {
    groups+: [
      {
        name: fill('runtime-business%s.rules', (if index == 0 then '' else '-%d' % (index + 1))),
        interval: config.evaluationInterval,
        rules: rules[index * groupSize:(index + 1) * groupSize],
      }
      for index in std.range(0, std.ceil(std.length(rules) / groupSize) - 1)
    ],
  },
}

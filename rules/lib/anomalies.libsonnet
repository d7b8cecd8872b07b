// The signals that have a band, complete: those of every service (`_config.anomaly.requests`) and the user's (`_config.anomalies`).
//
//   anomalies: {
//     orders: 'sum by (job) (rate(shop_orders_total[5m]))',           // one line: an expression …
//     cpu: { signal: 'cpu', strategy: 'adaptive', direction: 'high', severity: 'warning' },    // … or a signal, and what differs
//   }
//
// Of each: expression, or signal (one of `signals` below); what differs from `_config.anomaly`: strategy (robust, adaptive),
//   direction (both, high, low), season (week, day), deviations, margin, minDeviation; severity; and missing: 'zero' where a series
//   that has ended means that nothing happens any more, as that of a rate does, 'nothing' where it then has no value.
// `runtime-exporter generate` checks what a user's YAML says (exporter/runtime_exporter/mixin/anomalies.py).
local fill = import 'fill.libsonnet';
local labelsOf = import 'labels.libsonnet';
local on = import 'on.libsonnet';
local signalsOf = import '../signals.libsonnet';

local choices = { strategy: ['robust', 'adaptive'], direction: ['both', 'high', 'low'], season: ['week', 'day'], missing: ['zero', 'nothing'] };

local signals(config) =
  local labels = labelsOf(config);
  local all = signalsOf(config);
  {
    requests: { expression: all.recorded.requests, missing: 'zero' },
    errors: { expression: all.recorded.errors, direction: 'high' },
    latency: { expression: all.recorded.p95, direction: 'high' },
    // Of the service, not of each process: a process is seldom a week old.
    cpu: { expression: fill('sum by (%s) (%s)', [labels.job, all.recorded.cpu]) },
    memory: { expression: fill('sum by (%s) (%s)', [labels.job, all.memory]) },
  };

local checked(spec) =
  assert std.all([
    if std.member(choices[key], spec[key]) then true
    else error fill('anomalies.%s.%s: %s is none of %s', [spec.name, key, std.manifestJsonMinified(spec[key]), std.join(', ', choices[key])])
    for key in std.objectFields(choices)
  ]);
  spec;

local complete(config, name, given) =
  local own = if std.isString(given) then { expression: given } else given;
  local known = signals(config);
  local signal =
    if !std.objectHas(own, 'signal') then {}
    else if std.objectHas(known, own.signal) then known[own.signal]
    else error fill('anomalies.%s.signal: %s is none of %s', [name, std.manifestJsonMinified(own.signal), std.join(', ', std.objectFields(known))]);
  local defaults = { severity: std.get(std.get(config.alerts, 'anomaly', {}), 'severity'), missing: 'nothing' };
  checked(config.anomaly + defaults + signal + own + { name: name });

{
  // A level is over `window`; by an offset of the centre it is that of the same time then, and by one of half a window less, a
  // window of levels reaches from half a window before that time to half a window after. How far a signal strays is known by
  // spreadWindow, now and in the one whose middle is a week ago.
  season: {
    window: '1h',
    dayCenter: '23h30m',
    weekCenter: '167h30m',
    dayOffset: '23h',
    weekOffset: '167h',
    spreadWindow: '1d',
    spreadOffset: '156h',
  },

  of(config):: (
    if !on(config.anomaly, 'requests') then []
    else [complete(config, 'requests', config.anomaly.requests { signal: 'requests' })]
  ) + [
    complete(config, name, config.anomalies[name])
    for name in std.objectFields(config.anomalies)
    if config.anomalies[name] != null
  ],
}

// The service level objectives of a configuration, complete: those that every service has, and the user's (`_config.slos`).
//
//   slos: {
//     'checkout-availability': { selector: 'job="shop", http_route="/orders"', objective: 0.9995 },
//     'search-latency': { sli: 'latency', selector: 'http_route="/search"', by: 'route', threshold: '250ms', objective: 0.99, period: '28d' },
//     'payments': { sli: 'custom', events: 'shop_payments_total', badEvents: 'shop_payments_total{status="failed"}', objective: 0.999 },
//   }
//
// sli: availability (requests that did not fail), latency (requests within `threshold`, one of slo.buckets) or custom (two
//   counters). selector: matchers on the labels that requests are recorded with: the cluster's, the namespace's, job, http_route.
// by: 'job' or 'route': one budget for each. period: '30d', '28d' … windows: the burn rates that are told, of
//   alerts.sloBudgetBurn.windows; null is all. alert: false only records.
// `runtime-exporter generate` checks what a user's YAML says (exporter/runtime_exporter/mixin/slos.py).
local duration = import 'duration.libsonnet';
local fill = import 'fill.libsonnet';
local number = import 'number.libsonnet';
local on = import 'on.libsonnet';

local defaults = { sli: 'availability', selector: '', by: 'job', period: '30d', alert: true, windows: null };

local ofEveryService(config) =
  (if !on(config.slo, 'availability') then []
   else [defaults { name: 'availability', objective: config.http.objective, period: config.http.budgetPeriod, alert: false }])
  + (if !on(config.slo, 'latency') then []
     else [defaults + config.slo.latency { name: 'latency', sli: 'latency' }]);

local checked(config, slo) =
  assert slo.alert == false || slo.objective > 0 && slo.objective < 1 :
         'slos.%s.objective is %g: it must lie between 0 and 1, as 0.999' % [slo.name, slo.objective];
  assert slo.sli != 'latency' || std.member(config.slo.buckets, duration.seconds(slo.threshold)) :
         fill('slo.latency.threshold: %s of %s is no bound of a bucket (slo.buckets), so nobody knows how many requests are within it', [slo.threshold, slo.name]);
  slo;

{
  of(config):: [
    checked(config, slo)
    for slo in ofEveryService(config) + [
      defaults + config.slos[name] { name: name }
      for name in std.objectFields(config.slos)
      if config.slos[name] != null
    ]
  ],

  // Every burn rate that can be told, by its name.
  windows(config)::
    local settings = std.get(config.alerts, 'sloBudgetBurn');
    local all = if settings == null then {} else std.get(settings, 'windows', {});
    std.prune(all),

  // How many times faster than it may the budget burns when a window is told: 2 % of 30d in 1h is 14.4.
  factor(slo, burn):: burn.budget * duration.seconds(slo.period) / duration.seconds(burn.long),

  // Matches a bucket's bound as a service may write it: Go writes le="1", Python and Prometheus 3 le="1.0".
  bound(threshold)::
    local seconds = duration.seconds(threshold);
    if seconds == std.floor(seconds) then fill('le=~"%s([.]0)?"', number(seconds)) else fill('le="%s"', number(seconds)),
}

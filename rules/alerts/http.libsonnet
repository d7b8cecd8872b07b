// What users feel: requests that fail, requests that are slow.
local alert = import '../lib/alert.libsonnet';
local ask = import '../lib/ask.libsonnet';
local duration = import '../lib/duration.libsonnet';
local fill = import '../lib/fill.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local leak = import '../lib/leak.libsonnet';
local number = import '../lib/number.libsonnet';
local on = import '../lib/on.libsonnet';
local slo = import '../lib/slo.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local recorded = signals.recorded,

  local burnAlert(burn) = alert(burn, {
    name: 'RuntimeHttpErrorBudgetBurn',
    level: 'job',
    dashboard: 'http',
    labels: { long: burn.long, short: burn.short },
    expr: slo.burnExpr(config, recorded, burn),
    summary: 'Requests fail so often that the error budget burns too fast.',
    description: labels.where.job + ' has failed {{ $value | humanizePercentage }} of its requests within the last ' + burn.long
                 + ', and goes on failing (' + burn.short + '). '
                 + fill('This burns the error budget of its %s%% objective more than %s times as fast as it may.', [number(100 * config.http.objective), number(burn.factor)]),
    actions: [
      'See which route and which status fail: the panel of errors by route on the dashboard.',
      'See the exceptions: http_server_exceptions_total by error_type, and their traceback in the log of the service.',
      'Compare with the last deployment and with what the service depends on (database, cache, other services); roll back if they meet.',
      '502, 503, 504: look at timeouts, at full connection pools and at workers that were killed (RuntimeMemoryNearLimit).',
    ],
  }),

  prometheusAlerts+:: {
    groups+: group(config, 'http', {
      httpErrorBudgetBurn: std.flattenArrays([burnAlert(burn) for burn in slo.burns(config)]),
      httpLatencyHigh:
        local settings = config.alerts.httpLatencyHigh;
        alert(settings, {
          name: 'RuntimeHttpLatencyHigh',
          level: 'route',
          dashboard: 'http',
          // What has too few requests to mean something is not recorded.
          expr: (
            // Not below: a quantile is at most the largest bound, which the threshold may be.
            fill('%s >= %s\n', [recorded.routeLatency, number(duration.seconds(settings.threshold))])
          ) + if !on(settings, 'rise') then '' else fill(|||
            # or far slower than in its past
            or %s > %s
          |||, [recorded.routeLatency, leak.known(config, recorded.routeLatencyThreshold)]),
          summary: 'A route answers slowly.',
          description: 'The route ' + labels.where.route + ' is slow: the slowest ' + number(100 * (1 - settings.quantile))
                       + '% of its requests take longer than {{ $value | humanizeDuration }}, which is more than ' + settings.threshold
                       + ' or far more than in its past'
                       + ask.topFunctions(config, 'job') + '.',
          // Where the route takes most time.
          instance: {
            local names = labels.names.job + ['http_route'],
            expr: fill('topk(1, sum by (instance, agent) (rate(%s[%s])))', [
              ask.selected(
                config,
                signals.nameOf('requestSeconds'),
                names,
                // Its labels are OpenTelemetry's; the route alone will do.
                more=if signals.native then config.http.selector else '',
                called={ http_route: signals.routeLabel }
              ),
              config.rateInterval,
            ]),
            labels: names,
          },
          actions: [
            'See whether one route is slow or all: one is its query or its code, all is the process (CPU, GC, event loop) or the database.',
            'See where the time goes while it lasts: open the profile, or py-spy record --duration 30 --output slow.svg --pid PID.',
            'Count the queries of one request: a query in a loop over rows (N+1) grows with the data.',
            'Look for a linear search or sort over all rows, a missing index, a call without a timeout to another service.',
            'Compare with the request rate and http_server_active_requests: a queue means too few workers or threads.',
          ],
        }),
    }),
  },
}

// Slower, or less asked, than at the same time last week.
local alert = import '../lib/alert.libsonnet';
local duration = import '../lib/duration.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local number = import '../lib/number.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local recorded = signalsOf(config).recorded,

  local recent(series, settings) = 'avg_over_time(' + series + '[' + settings.recent + '])',
  local past(settings, offset) = '[' + settings.window + '] offset ' + offset + ')',

  prometheusAlerts+:: {
    groups+: group(config, 'regression', {
      httpLatencyRegression:
        local settings = config.alerts.httpLatencyRegression;
        local now = recent(recorded.p95, settings);
        alert(settings, {
          name: 'RuntimeHttpLatencyRegression',
          level: 'job',
          dashboard: 'http',
          expr: std.join('\n', [
            // The median of that hour: an incident of last week is no baseline either.
            now + ' > ' + number(settings.minRatio) + ' * quantile_over_time(0.5, ' + recorded.p95 + past(settings, settings.weekOffset),
            '# and it matters',
            'and ' + now + ' > ' + number(duration.seconds(settings.minDuration)),
          ]),
          summary: 'A service answers more slowly than last week.',
          description: labels.where.job + ' is slower than at the same time last week: the slowest 5% of its requests take longer than '
                       + '{{ $value | humanizeDuration }}, more than ' + number(settings.minRatio) + ' times as long as then.',
          actions: [
            'See which route has become slower: the p95 by route on the HTTP dashboard, against a week ago.',
            'Compare the functions with a week ago: the panel on the Profiling dashboard.',
            'See what was released in between, and what has grown: rows, payloads, calls for each request.',
          ],
        }),
      httpThroughputDrop:
        local settings = config.alerts.httpThroughputDrop;
        local week = 'avg_over_time(' + recorded.requests + past(settings, settings.weekOffset);
        local day = 'avg_over_time(' + recorded.requests + past(settings, settings.dayOffset);
        // A service that is gone has no series at all; it is asked nothing.
        local now = '(' + recent(recorded.requests, settings) + ' or 0 * ' + day + ')';
        alert(settings, {
          name: 'RuntimeHttpThroughputDrop',
          level: 'job',
          dashboard: 'http',
          expr: std.join('\n', [
            now + ' < ' + number(settings.maxRatio) + ' * ' + week,
            '# nor is it as it was yesterday, which may have been a holiday, too',
            'and ' + now + ' < ' + number(settings.maxRatio) + ' * ' + day,
            '# and there was something to lose',
            'and ' + week + ' > ' + number(settings.minRequestsPerSecond),
            'and ' + day + ' > ' + number(settings.minRequestsPerSecond),
          ]),
          summary: 'A service gets far fewer requests than usual.',
          description: labels.where.job + ' gets {{ $value | humanize }} requests a second, less than ' + number(100 * settings.maxRatio)
                       + '% of what it got at the same time last week and yesterday.',
          actions: [
            'See whether requests arrive at all: the load balancer, DNS, certificates, and the service before this one.',
            'See whether clients give up: errors and latency before the fall.',
            'A campaign that ended, a holiday, a switched-off client: then it is as it should be.',
          ],
        }),
    }),
  },
}

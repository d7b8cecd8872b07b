// What profiles tell: functions that became slower, that are new at the top, where locks are waited for, what grows.
local fill = import '../lib/fill.libsonnet';
local alert = import '../lib/alert.libsonnet';
local ask = import '../lib/ask.libsonnet';
local duration = import '../lib/duration.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local number = import '../lib/number.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local recorded = signals.recorded,
  local window = config.profiles.rateInterval,
  local and_(selector, matcher) = std.join(',', [part for part in [selector, matcher] if part != '']),

  local regressionExpr(settings) = fill(|||
    %(delta)s >= %(minDeltaRatio)s
    and (
      %(cpu)s == 1
      # slower by CPU is slower by the clock, too: said once
      or %(any)s == 1 unless on (%(by)s) %(cpu)s == 1
    )
  |||, {
    delta: signals.regressionDelta(settings.selector),
    minDeltaRatio: number(settings.minDeltaRatio),
    any: signals.regression(settings.selector),
    cpu: signals.regression(and_(settings.selector, 'profile="cpu"')),
    by: labels.profiledFunction,
  }),

  local lockExpr(settings) = fill(|||
    rate(%(sites)s[%(window)s]) > %(minWait)s
    # and hardly anything is waited for elsewhere
    and rate(%(sites)s[%(window)s]) / ignoring (site) group_left () sum without (site) (rate(%(all)s[%(window)s])) > %(minShare)s
  |||, {
    sites: signals.profileWait(and_(settings.selector, 'site!="other"')),
    all: signals.profileWait(settings.selector),
    window: window,
    minWait: number(settings.minWait),
    minShare: number(settings.minShare),
  }),

  // A function that was no member of the few that have a series had a small share, too: no past is a small one.
  local dominantExpr(settings) = fill(|||
    %(share)s > %(minShare)s
    # of something that matters
    and on (%(job)s) %(cpu)s > %(minCores)s
    # the past is known
    and on (%(job)s) count_over_time(%(cpu)s%(past)s) >= %(minSamples)s
    # and it was not like this, not even for a quarter of an hour
    unless quantile_over_time(%(quantile)s, %(share)s%(past)s) > %(maxPastShare)s
  |||, {
    share: recorded.functionShare,
    cpu: recorded.profiledCpu,
    job: labels.job,
    past: fill('[%s] offset %s', [settings.baseline, settings.offset]),
    minShare: number(settings.minShare),
    minCores: number(settings.minCores),
    maxPastShare: number(settings.maxPastShare),
    quantile: number(settings.baselineQuantile),
    minSamples: number(duration.seconds(settings.minHistory) / duration.seconds(config.evaluationInterval)),
  }),

  prometheusAlerts+:: {
    groups+: group(config, 'profiles', {
      profileRegression:
        local settings = config.alerts.profileRegression;
        alert(settings, {
          name: 'RuntimeProfileRegression',
          level: 'instance',
          dashboard: 'profiling',
          subject: 'function',
          expr: regressionExpr(settings),
          summary: 'A function has become more expensive than it was.',
          description: 'The share of {{ $labels.function }} in the {{ $labels.profile }} profile of ' + labels.where.instance
                       + ' has risen {{ if ge $value 10.0 }}more than tenfold{{ else }}by {{ $value | humanizePercentage }}{{ end }} over the baseline ({{ $labels.baseline }}).',
          actions: [
            'Open the profile: the function is marked, and the difference to the time before shows what it calls more than it did.',
            'Compare with the last deployment: what changed in this function, in what it calls, in a library that it uses.',
            'Compare with its data: the same code costs more with more rows, longer texts, a colder cache.',
            'If it is meant to cost this much: nothing. After a while the baseline will know.',
          ],
        }),
      profileLeakSuspect:
        local settings = config.alerts.profileLeakSuspect;
        alert(settings, {
          name: 'RuntimeProfileLeakSuspect',
          level: 'instance',
          dashboard: 'profiling',
          expr: signals.leakSuspects(settings.selector) + ' > 0',
          summary: 'Something in a process grows and grows.',
          description: 'In ' + labels.where.instance + ' {{ $value | printf "%.0f" }} of the kind {{ $labels.kind }} '
                       + '{{ if eq $value 1.0 }}is suspected of a leak{{ else }}are suspected of leaks{{ end }}' + ask.steepest(config) + '.',
          actions: [
            'Open the profile: a heap profile says who allocated what is in use, a dump of the threads what they wait for.',
            'Look for what keeps them: a dict or list of a module, a cache without a bound, a listener that nobody removes, a thread that nobody ends.',
            'objects: gc.get_referrers(x) of one of them, or objgraph.show_backrefs, leads to what holds it.',
            'threads and tasks: the stack that they share says where they are started; end them with a timeout or a sentinel.',
            'blocks flat while rss grows: native memory or fragmentation, see process_malloc_free_bytes.',
          ],
        }),
      lockHotSpot:
        local settings = config.alerts.lockHotSpot;
        alert(settings, {
          name: 'RuntimeLockHotSpot',
          level: 'instance',
          dashboard: 'profiling',
          subject: 'site',
          expr: lockExpr(settings),
          summary: 'Threads wait for one lock.',
          description: 'In ' + labels.where.instance + ' {{ $value | printf "%.2f" }} threads on average wait for a lock at {{ $labels.site }}:'
                       + ' more than ' + number(100 * settings.minShare) + '% of all waiting for locks.',
          actions: [
            'Open the profile: the stacks say who waits, and for whom.',
            'Do less while the lock is held: no query, no request, no logging to a file, no computing that needs no protection.',
            'Split the lock: one for each key or shard, or a lock for writing only.',
            'Hand the work to one thread through a queue instead of having all of them fight for the data.',
          ],
        }),
      profileNewDominantFunction:
        local settings = config.alerts.profileNewDominantFunction;
        alert(settings, {
          name: 'RuntimeProfileNewDominantFunction',
          level: 'job',
          dashboard: 'profiling',
          subject: 'function',
          instance: {
            local names = labels.names.job + ['function'],
            expr: fill('topk(1, sum by (instance, agent) (rate(%s[%s])))', [
              ask.selected(config, 'profile_self_seconds_total', names, 'profile="cpu"'),
              window,
            ]),
            labels: names,
          },
          expr: dominantExpr(settings),
          summary: 'A function that hardly mattered now takes much of the CPU.',
          description: '{{ $labels.function }} takes {{ $value | humanizePercentage }} of the CPU of ' + labels.where.job
                       + '; over the last ' + settings.baseline + ' it had at most ' + number(100 * settings.maxPastShare) + '%.',
          actions: [
            'Open the profile and see who calls it.',
            'Compare with the last deployment and with what is new in the traffic: a route, a client, a job.',
            'Compare the request rate with the CPU: more work of the same kind raises all functions, not one.',
            'If it is meant to be: nothing. It is the past after ' + settings.offset + '.',
          ],
        }),
    }),
  },
}

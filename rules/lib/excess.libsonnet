// What a process's memory is above this time yesterday, less what its requests above this time yesterday explain: of day and
// night nothing is left, of noise that comes with the load a third, and a Monday is no leak.
//
// How much memory goes with a request a second is learnt from the past: the slope of the floor over the floor of the requests,
// times the share of the memory's variance that the requests explain (a step of the past makes both large, but shares little).
local duration = import 'duration.libsonnet';
local fill = import 'fill.libsonnet';
local labelsOf = import 'labels.libsonnet';
local leak = import 'leak.libsonnet';
local number = import 'number.libsonnet';

{
  // Each evaluationInterval. The requests have the labels of the memory, to stand beside it.
  recorded(config, signals, settings)::
    local names = signals.recorded;
    local yesterday(series) = fill('avg_over_time(%s[%s] offset %s)', [series, settings.seasonWindow, settings.seasonOffset]);
    [
      {
        record: names.requestsFloor,
        expr: fill('%s * 0 + on (%s) group_left () min_over_time(%s[%s])', [
          names.memoryFloor,
          labelsOf(config).instance,
          names.instanceRequests,
          config.memory.floorWindow,
        ]),
      },
      { record: names.memoryProduct, expr: fill('%s * %s', [names.memoryFloor, names.requestsFloor]) },
      {
        record: names.memoryExcess,
        expr: fill(|||
          %(floor)s - %(floorYesterday)s
            - %(slope)s * (%(requests)s - %(requestsYesterday)s)
          # without requests, all of it
          or %(floor)s - %(floorYesterday)s
        |||, {
          floor: names.memoryFloor,
          floorYesterday: yesterday(names.memoryFloor),
          slope: leak.known(config, names.memorySlope),
          requests: names.requestsFloor,
          requestsYesterday: yesterday(names.requestsFloor),
        }),
      },
    ],

  // Bytes for a request a second: covariance / variance of the requests, times the square of the correlation. Each baselineInterval.
  slope(signals, settings)::
    local names = signals.recorded;
    local over(aggregation, series) = fill('%s_over_time(%s[%s] offset %s)', [aggregation, series, settings.baseline, settings.offset]);
    fill(|||
      clamp_min(%(mean)s - %(meanMemory)s * %(meanRequests)s, 0) ^ 3
        / (%(deviationRequests)s ^ 4 * %(deviationMemory)s ^ 2 > 0)
      # both were there all the time, or their means are of different hours
      and %(countRequests)s > 0.98 * %(countMemory)s
    |||, {
      mean: over('avg', names.memoryProduct),
      meanMemory: over('avg', names.memoryFloor),
      meanRequests: over('avg', names.requestsFloor),
      deviationMemory: over('stddev', names.memoryFloor),
      deviationRequests: over('stddev', names.requestsFloor),
      countMemory: over('count', names.memoryFloor),
      countRequests: over('count', names.requestsFloor),
    }),
}

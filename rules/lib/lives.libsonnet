// A leak that restarts cut short: in no life is there time for a line of hours, but over many lives the memory goes by the age
// of the process. Recorded are the age, the memory and their product; their means and deviations over a window make the
// regression of memory on age. Told apart from a warm-up by leaving out the first minutes of each life.
local fill = import 'fill.libsonnet';
local duration = import 'duration.libsonnet';
local number = import 'number.libsonnet';
local seconds = duration.seconds;

{
  // Of processes that have started for good, and are young enough to be one of several in the window.
  recorded(signals, restarts)::
    local age = fill('time() - %s > %s < %s', [signals.startTime, number(seconds(restarts.warmUp)), number(seconds(restarts.window))]);
    local names = signals.recorded;
    [
      { record: names.lifeAge, expr: age },
      { record: names.lifeMemory, expr: fill('%s and %s', [signals.memory, age]) },
      { record: names.lifeProduct, expr: fill('%s * (%s)', [signals.memory, age]) },
    ],

  // The value is in bytes an hour.
  expr(config, signals, restarts)::
    local names = signals.recorded;
    local mean(series) = fill('avg_over_time(%s[%s])', [series, restarts.window]);
    local deviation(series) = fill('stddev_over_time(%s[%s])', [series, restarts.window]);
    local covariance = fill('(%s - %s * %s)', [mean(names.lifeProduct), mean(names.lifeMemory), mean(names.lifeAge)]);
    // Bytes a second.
    local slope = fill('%s / (%s ^ 2 > 0)', [covariance, deviation(names.lifeAge)]);
    local oldest = fill('max_over_time(%s[%s])', [names.lifeAge, restarts.window]);
    fill(|||
      3600 * (
        %(slope)s
        # the memory goes by the age
        and %(covariance)s / (%(memories)s * %(ages)s > 0) > %(minCorrelation)s
        # which makes much in a life
        and %(slope)s * %(oldest)s > %(minGrowthRatio)s * %(mean)s
        and %(slope)s * %(oldest)s > %(minGrowth)s
        # and there were several
        and changes(%(start)s[%(window)s]) >= %(minRestarts)s
        and count_over_time(%(age)s[%(window)s]) > %(minSamples)s
      )
    |||, {
      slope: slope,
      covariance: covariance,
      memories: deviation(names.lifeMemory),
      ages: deviation(names.lifeAge),
      oldest: oldest,
      mean: mean(names.lifeMemory),
      window: restarts.window,
      start: signals.startTime,
      age: names.lifeAge,
      minCorrelation: number(restarts.minCorrelation),
      minGrowthRatio: number(restarts.minGrowthRatio),
      minGrowth: number(restarts.minGrowth),
      minRestarts: number(restarts.minRestarts),
      minSamples: number(restarts.minCoverage * seconds(restarts.window) / seconds(config.evaluationInterval)),
    }),
}

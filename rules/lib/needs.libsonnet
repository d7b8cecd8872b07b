// The signals without which an alert could never fire, by its key in `_config.alerts`; what is not here needs none but `up`,
// or what every source has. An alert whose signals the source lacks is left out: lib/group.libsonnet.
{
  memoryNearLimit: ['memoryLimit'],
  cpuThrottled: ['cpuPeriods', 'cpuThrottledPeriods'],
  threadLeak: ['threads'],
  threadExhaustion: ['threads', 'maxThreads'],
  gcPressure: ['gcSeconds'],
  workersDying: ['workersEnded'],
  diskFilling: ['diskAvailable', 'diskSize'],
  eventLoopBlocked: ['loopLagBuckets'],
  collectorFailing: ['collectorSuccess'],
  overBudget: ['overhead', 'overheadBudget'],
  labelsFolded: ['folded'],
}

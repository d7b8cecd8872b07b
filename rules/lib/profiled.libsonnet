// The alerts that have a profile taken: they link to it, and Alertmanager posts them to /-/alert. A test holds the list
// together with the exporter's (profiling/captures.py).
[
  'RuntimeCpuSpike',
  'RuntimeCpuThrottled',
  'RuntimeEventLoopBlocked',
  'RuntimeGcPressure',
  'RuntimeHttpLatencyHigh',
  'RuntimeLockHotSpot',
  'RuntimeMemoryLeakSuspected',
  'RuntimeMemoryNearLimit',
  'RuntimeProfileLeakSuspect',
  'RuntimeProfileNewDominantFunction',
  'RuntimeProfileRegression',
  'RuntimeThreadLeakSuspected',
]

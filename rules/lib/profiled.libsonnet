// The alerts that have a profile taken: they link to it, and Alertmanager posts them to /-/alert.
[
  'RuntimeCpuSpike',
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

// More CPU than ever, and less CPU than asked for.
local fill = import '../lib/fill.libsonnet';
local alert = import '../lib/alert.libsonnet';
local ask = import '../lib/ask.libsonnet';
local duration = import '../lib/duration.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local leak = import '../lib/leak.libsonnet';
local number = import '../lib/number.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),
  local recorded = signals.recorded,

  // What is far above the past is recorded: recording/baselines.libsonnet.
  local spikeExpr(settings) = fill(|||
    %(cpu)s > %(threshold)s
    # and this is not a start-up
    and %(uptime)s > %(minUptime)s
  |||, {
    cpu: recorded.cpu,
    threshold: leak.known(config, recorded.cpuThreshold),
    uptime: leak.uptime(config, signals),
    minUptime: number(duration.seconds(settings.minUptime)),
  }),

  prometheusAlerts+:: {
    groups+: group(config, 'cpu', {
      cpuSpike:
        local settings = config.alerts.cpuSpike;
        alert(settings, {
          name: 'RuntimeCpuSpike',
          level: 'instance',
          dashboard: 'runtime',
          expr: spikeExpr(settings),
          summary: 'A process uses far more CPU than in its past.',
          description: labels.where.instance + ' uses {{ $value | printf "%.2f" }} cores, far above what it used over the last ' + settings.baseline
                       + ask.topFunctions(config, 'instance') + '.',
          actions: [
            'Compare the request rate: more requests is load (add workers), the same requests is a change in the code or its data.',
            'Compare with the last deployment and with the last change of configuration; roll back if they meet.',
            'See where the time goes: open the profile, or py-spy record --duration 30 --output cpu.svg --pid PID.',
            'See which threads use it: process_thread_cpu_seconds_total by group. One thread near one core holds the GIL from all others.',
            'Look for loops over grown data: a linear search, a regular expression that backtracks, JSON of everything.',
          ],
        }),
      cpuThrottled:
        local settings = config.alerts.cpuThrottled;
        alert(settings, {
          name: 'RuntimeCpuThrottled',
          level: 'instance',
          dashboard: 'runtime',
          expr: fill('rate(%s[%s]) / (rate(%s[%s]) > 0) > %s', [
            signals.cpuThrottledPeriods,
            config.rateInterval,
            signals.cpuPeriods,
            config.rateInterval,
            number(settings.ratio),
          ]),
          summary: 'A process is held back by its CPU limit.',
          description: labels.where.instance + ' was stopped by its CPU limit in {{ $value | humanizePercentage }} of the scheduling periods.',
          actions: [
            'Raise or remove the CPU limit (keep the request): a limit stops all threads for the rest of each 100 ms period.',
            'Match the number of workers and threads with the limit: os.cpu_count() tells of the host, not of the cgroup.',
            'Cap native thread pools: OMP_NUM_THREADS, OPENBLAS_NUM_THREADS, MKL_NUM_THREADS.',
            'See what uses the CPU: open the profile, and process_thread_cpu_seconds_total by group.',
          ],
        }),
    }),
  },
}

// Is it there at all: targets, restarts, and the watchdog that tells that alerting itself works.
local fill = import '../lib/fill.libsonnet';
local alert = import '../lib/alert.libsonnet';
local duration = import '../lib/duration.libsonnet';
local group = import '../lib/group.libsonnet';
local labelsOf = import '../lib/labels.libsonnet';
local number = import '../lib/number.libsonnet';
local signalsOf = import '../signals.libsonnet';

{
  local config = $._config,
  local labels = labelsOf(config),
  local signals = signalsOf(config),

  prometheusAlerts+:: {
    groups+: group(config, 'targets', {
      targetDown:
        local settings = config.alerts.targetDown;
        local spec = { name: 'RuntimeTargetDown', dashboard: 'overview' };
        // max_over_time: a failed scrape in between is no outage. A target that left service discovery has no `up` at all,
        // and absent() does not know which jobs there were: what was there within absentFor does.
        local absentSeconds = duration.seconds(settings.absentFor);
        local vars = {
          by: labels.job,
          up: signals.up,
          window: settings.window,
          step: config.evaluationInterval,
          absentWindow: number(2 * absentSeconds) + 's',
          // A job that was there always falls to this number absentFor after its end; one that comes and goes never reaches it.
          minPresent: number(absentSeconds / duration.seconds(config.evaluationInterval)),
        };
        alert(settings, spec {
          level: 'job',
          expr: fill('max by (%(by)s) (max_over_time(%(up)s[%(window)s])) == 0\n', vars) + if absentSeconds == 0 then '' else fill(|||
            or
            # nothing is scraped any more, and was most of the time
            (
              count_over_time((group by (%(by)s) (%(up)s))[%(absentWindow)s:%(step)s]) > %(minPresent)s
              unless group by (%(by)s) (%(up)s)
            )
          |||, vars),
          summary: 'No instance of a service answers.',
          description: 'No instance of ' + labels.where.job + ' can be scraped: it is down, unreachable, or no longer discovered.',
          actions: [
            'See why the scrape fails: the error column of Status > Targets in Prometheus (connection refused, timeout, 404).',
            'Ask it from the host itself: curl -fsS http://127.0.0.1:9464/-/healthy, and look whether the process runs.',
            'Connection refused: crashed or never started. Read the last lines of its log and dmesg | grep -i "killed process".',
            'Timeout: it runs and is stuck. py-spy dump --pid PID shows where.',
            'Not in the list any more: look at the last change of service discovery, labels or prometheus.yml.',
          ],
        })
        + alert(std.get(settings, 'instance'), spec {
          beside: settings,
          part: 'instance',
          level: 'instance',
          expr: fill(|||
            max_over_time(%(up)s[%(window)s]) == 0
            # and others of its job are there: else the job is what is down
            and on (%(by)s) max by (%(by)s) (max_over_time(%(up)s[%(window)s])) == 1
          |||, vars),
          summary: 'An instance of a service does not answer.',
          description: labels.where.instance + ' cannot be scraped, others of its job can.',
          actions: [
            'See why the scrape fails: the error column of Status > Targets in Prometheus (connection refused, timeout, 404).',
            'Ask it from its host: curl -fsS http://127.0.0.1:9464/-/healthy, and look whether the process runs.',
            'Timeout: it runs and is stuck. py-spy dump --pid PID shows where.',
            'See that the load balancer has taken it out, and that the others bear the load.',
          ],
        }),
      restarting:
        local settings = config.alerts.restarting;
        alert(settings, {
          name: 'RuntimeRestarting',
          level: 'instance',
          dashboard: 'overview',
          expr: fill('changes(%s[%s]) > %s', [signals.startTime, settings.window, number(settings.restarts)]),
          summary: 'A process restarts again and again.',
          description: labels.where.instance + ' has restarted {{ $value | printf "%.0f" }} times within the last ' + settings.window + '.',
          actions: [
            'Read the last lines before the end: journalctl -u UNIT, kubectl logs --previous POD, docker logs CONTAINER.',
            'Killed by the kernel? dmesg | grep -i "killed process", exit code 137, RuntimeMemoryNearLimit before it.',
            'Killed by gunicorn ("WORKER TIMEOUT")? A request took longer than --timeout: find it, do not raise the timeout first.',
            'Died in C code (SIGSEGV)? Run it with python -X faulthandler: the traceback names the extension.',
          ],
        }),
      workersDying:
        local settings = config.alerts.workersDying;
        alert(settings, {
          name: 'RuntimeWorkersDying',
          level: 'instance',
          dashboard: 'runtime',
          // How often, not how many: who is killed with its control group, or after a reload for a connection that did not end, was killed once.
          // From scrape to scrape, and not by a subquery: where workers die all the time many scrapes fail, and it sees nothing at those times.
          expr: fill('sum without (how) (changes(%(died)s) - resets(%(died)s)) > %(deaths)s', {
            died: fill('%s[%s]', [signals.workersDied, settings.window]),
            deaths: number(settings.deaths),
          }),
          summary: 'Workers of a service die again and again.',
          description: '{{ $value | printf "%.0f" }} times within the last ' + settings.window + ' workers of ' + labels.where.instance
                       + ' were killed or crashed. Others took their place.',
          actions: [
            'Ask the server how they ended: its log has the signal or the exit code of each ("Worker (pid:1234) was sent SIGKILL!").',
            'SIGKILL: want of memory? dmesg | grep -i "killed process", RuntimeMemoryNearLimit before it.',
            'WORKER TIMEOUT of gunicorn: a request took longer than --timeout. Find it, do not raise the timeout first.',
            'SIGSEGV, SIGABRT: run the server with python -X faulthandler; the traceback names the extension.',
            'Look for one request that ends whoever takes it: compare the access log with the times of the deaths.',
          ],
        }),
      watchdog: alert(config.alerts.watchdog, {
        name: 'Watchdog',
        level: 'none',
        dashboard: 'overview',
        expr: 'vector(1)',
        summary: 'Alerting works.',
        description: 'This alert always fires, with the value {{ $value }}: who stops receiving it knows that Prometheus,'
                     + ' Alertmanager or the way between them is broken.',
        actions: [
          'Do nothing while it arrives.',
          'When it stops: see that Prometheus runs and evaluates its rules (Status > Rules).',
          'Then that it reaches Alertmanager: rate(prometheus_notifications_errors_total[5m]) and Status > Runtime.',
        ],
      }),
    }),
  },
}

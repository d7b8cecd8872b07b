// What instruments the application: the values of `_config.source`, and what each calls the same things.
//
// Plain data, which the dashboards read too. `http` says where requests are counted (`requests`), where their durations are
// (a histogram, `durations`), which of their labels stands for OpenTelemetry's, and that a histogram counts in milliseconds.
// `runtime`: 'native' is runtime_exporter in the process, 'python' prometheus_client's own collectors, 'go' client_golang's.
// Each was looked at in the real library: tests/sources/ scrapes them all.
local openTelemetry = { http_route: 'http_route', http_request_method: 'http_request_method', http_response_status_code: 'http_response_status_code' };

{
  native: {
    title: 'runtime_exporter',
    runtime: 'native',
    http: {
      requests: 'http_server_request_duration_seconds_count',
      durations: 'http_server_request_duration_seconds',
      active: 'http_server_active_requests',
      labels: openTelemetry,
    },
  },
  starlette_exporter: {
    title: 'starlette_exporter (Starlette, FastAPI)',
    runtime: 'python',
    http: {
      requests: 'starlette_requests_total',
      durations: 'starlette_request_duration_seconds',
      active: 'starlette_requests_in_progress',
      labels: { http_route: 'path', http_request_method: 'method', http_response_status_code: 'status_code' },
    },
  },
  // Its durations have buckets of 0.1, 0.5 and 1 s by default, and no status.
  prometheus_fastapi_instrumentator: {
    title: 'prometheus-fastapi-instrumentator',
    runtime: 'python',
    http: {
      requests: 'http_requests_total',
      durations: 'http_request_duration_seconds',
      labels: { http_route: 'handler', http_request_method: 'method', http_response_status_code: 'status' },
    },
  },
  // Its path is the URL, with every ID in it, unless it is told PrometheusMetrics(app, group_by='url_rule').
  prometheus_flask_exporter: {
    title: "prometheus_flask_exporter, with group_by='url_rule'",
    runtime: 'python',
    http: {
      requests: 'flask_http_request_duration_seconds_count',
      durations: 'flask_http_request_duration_seconds',
      labels: { http_route: 'url_rule', http_request_method: 'method', http_response_status_code: 'status' },
    },
  },
  // It names the view, not the route.
  django_prometheus: {
    title: 'django-prometheus',
    runtime: 'python',
    http: {
      requests: 'django_http_responses_total_by_status_view_method_total',
      durations: 'django_http_requests_latency_seconds_by_view_method',
      labels: { http_route: 'view', http_request_method: 'method', http_response_status_code: 'status' },
    },
  },
  // The stable semantic conventions: in Python with OTEL_SEMCONV_STABILITY_OPT_IN=http.
  opentelemetry: {
    title: "OpenTelemetry's Prometheus exporter, stable conventions",
    runtime: 'python',
    http: {
      requests: 'http_server_request_duration_seconds_count',
      durations: 'http_server_request_duration_seconds',
      active: 'http_server_active_requests',
      labels: openTelemetry,
    },
  },
  // The conventions before: what Python's instrumentations write as long as they are not told otherwise.
  opentelemetry_milliseconds: {
    title: "OpenTelemetry's Prometheus exporter, conventions before 1.23",
    runtime: 'python',
    http: {
      requests: 'http_server_duration_milliseconds_count',
      durations: 'http_server_duration_milliseconds',
      milliseconds: true,
      active: 'http_server_active_requests',
      labels: { http_route: 'http_target', http_request_method: 'http_method', http_response_status_code: 'http_status_code' },
    },
  },
  // promhttp.InstrumentHandlerDuration leaves the name to the application; this is what most call it, with a curried `handler`.
  go: {
    title: "Go's client_golang with promhttp",
    runtime: 'go',
    http: {
      requests: 'http_request_duration_seconds_count',
      durations: 'http_request_duration_seconds',
      labels: { http_route: 'handler', http_request_method: 'method', http_response_status_code: 'code' },
    },
  },
}

package main

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/metrics"
	"time"
)

var started = time.Now()

// families are numbers of the runtime under the names that Prometheus's client for Go gives them.
var families = []struct{ name, metric string }{
	{"go_goroutines", "/sched/goroutines:goroutines"},
	{"go_sched_gomaxprocs_threads", "/sched/gomaxprocs:threads"},
	{"go_gc_gogc_percent", "/gc/gogc:percent"},
	{"go_gc_gomemlimit_bytes", "/gc/gomemlimit:bytes"},
	{"go_gc_heap_live_bytes", "/gc/heap/live:bytes"},
	{"go_gc_heap_goal_bytes", "/gc/heap/goal:bytes"},
}

// metricsPage writes them in Prometheus's text format, without its library: this example has no dependency.
func metricsPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	fmt.Fprintf(w, "# TYPE go_info gauge\ngo_info{version=%q} 1\n", runtime.Version())
	fmt.Fprintf(w, "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %.2f\n", float64(started.UnixMilli())/1000)
	samples := make([]metrics.Sample, len(families))
	for i, family := range families {
		samples[i].Name = family.metric
	}
	metrics.Read(samples)
	for i, family := range families {
		if samples[i].Value.Kind() == metrics.KindUint64 {
			fmt.Fprintf(w, "# TYPE %s gauge\n%s %d\n", family.name, family.name, samples[i].Value.Uint64())
		}
	}
}

// A service that Go's client_golang instruments, as its documentation does: its own metrics, and promhttp around each handler.
package main

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var durations = promauto.NewHistogramVec(prometheus.HistogramOpts{
	Name: "http_request_duration_seconds",
	Help: "Duration of HTTP requests.",
}, []string{"handler", "code", "method"})

func handle(path, route string, status int, pause time.Duration) {
	observer := durations.MustCurryWith(prometheus.Labels{"handler": route})
	http.Handle(path, promhttp.InstrumentHandlerDuration(observer, http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(pause)
			w.WriteHeader(status)
		})))
}

func main() {
	handle("/items/", "/items/{id}", http.StatusOK, 0)
	handle("/broken", "/broken", http.StatusServiceUnavailable, 0)
	handle("/slow", "/slow", http.StatusOK, 600*time.Millisecond)
	http.Handle("/metrics", promhttp.Handler())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	panic(http.Serve(listener, nil))
}

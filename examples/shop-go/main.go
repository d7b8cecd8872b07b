// Shop-go is the shop's twin in Go: a small service to profile, with faults that can be switched on and off.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	address := flag.String("address", "127.0.0.1:8001", "where to listen; port 0 takes a free one")
	mutexFraction := flag.Int("mutex-fraction", 5, "1 of so many contended waits for a mutex is recorded; 0 for none")
	blockRate := flag.Int("block-rate", 100_000_000, "one wait is recorded in so many nanoseconds of waiting; 0 for none")
	flag.Parse()
	runtime.SetMutexProfileFraction(*mutexFraction)
	runtime.SetBlockProfileRate(*blockRate)

	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := serve(stop, *address); err != nil {
		log.Fatal(err)
	}
}

// serve answers requests until stop ends.
func serve(stop context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: routes(newShop()), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Printf("http://%s\n", listener.Addr())
	select {
	case err := <-ended:
		return err
	case <-stop.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := server.Shutdown(patience); !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return server.Close()
}

// routes returns the pages of the shop, of its profiles and of its metrics.
func routes(shop *shop) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /products/{id}", shop.product)
	mux.HandleFunc("GET /search", shop.search)
	mux.HandleFunc("POST /orders", shop.order)
	mux.HandleFunc("GET /export", shop.export)
	mux.HandleFunc("GET /faults", shop.faults.list)
	mux.HandleFunc("POST /faults/{name}", shop.faults.set)
	mux.HandleFunc("GET /metrics", metricsPage)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	return mux
}

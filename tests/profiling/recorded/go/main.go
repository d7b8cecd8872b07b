package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"time"
)

type row struct {
	A int
	B string
	C []float64
}

var sink any
var mu sync.Mutex

func useJSON() {
	v := []row{{1, "x", []float64{1, 2}}, {2, "y", nil}}
	b, _ := json.Marshal(v)
	var w []row
	_ = json.Unmarshal(b, &w)
	sink = w
}
func useRegexp()  { r := regexp.MustCompile(`(a|b)*c+[x-z]{2,9}`); sink = r }
func useSprintf() { sink = fmt.Sprintf("%d-%s-%v", 12, "abc", 1.5) }
func useSlices() {
	var s []int
	m := map[string]int{}
	for i := 0; i < 400; i++ {
		s = append(s, i)
		m["k"+string(rune(i))] = i
	}
	sink = s
	sink = m
}
func useGC() {
	l := make([]*row, 0)
	for i := 0; i < 3000; i++ {
		l = append(l, &row{A: i, C: make([]float64, 8)})
	}
	sink = l
}

var kept []<-chan time.Time

func useTimers() {
	for i := 0; i < 1000; i++ {
		if len(kept) < 50000 {
			kept = append(kept, time.After(time.Hour))
		}
		work(1000)
	}
}
func certificate() tls.Certificate {
	k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"x"}, IsCA: true, BasicConstraintsValid: true}
	d, _ := x509.CreateCertificate(rand.Reader, t, t, &k.PublicKey, k)
	return tls.Certificate{Certificate: [][]byte{d}, PrivateKey: k}
}

var cert = certificate()

func useTLS() {
	a, b := net.Pipe()
	pool := x509.NewCertPool()
	c, _ := x509.ParseCertificate(cert.Certificate[0])
	pool.AddCert(c)
	s := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{cert}})
	go s.Handshake()
	cl := tls.Client(b, &tls.Config{ServerName: "x", RootCAs: pool})
	_ = cl.Handshake()
	a.Close()
	b.Close()
}
func useScheduler() {
	ch := make(chan int)
	var wg sync.WaitGroup
	for g := 0; g < 8; g++ {
		wg.Add(2)
		go func() {
			defer wg.Done()
			for i := 0; i < 2000; i++ {
				ch <- i
			}
		}()
		go func() {
			defer wg.Done()
			for i := 0; i < 2000; i++ {
				<-ch
			}
		}()
	}
	wg.Wait()
}
func work(n int) int {
	x := 0
	for i := 0; i < n; i++ {
		x += i * i % 7
	}
	return x
}
func useMutex() {
	var wg sync.WaitGroup
	for g := 0; g < 4; g++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < 50; i++ {
				mu.Lock()
				sink = work(20000)
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
}
func useLeak() {
	for i := 0; i < 30; i++ {
		go waitForever(make(chan int))
	}
}
func waitForever(c chan int) { <-c }

var cases = map[string]func(){"json": useJSON, "regexp": useRegexp, "sprintf": useSprintf, "slices": useSlices, "gc": useGC, "timers": useTimers, "tls": useTLS, "scheduler": useScheduler, "mutex": useMutex, "leak": useLeak, "plain": func() { work(1000000) }}

func main() {
	name, dir := os.Args[1], os.Args[2]
	runtime.SetMutexProfileFraction(1)
	if name == "block" {
		runtime.SetBlockProfileRate(1)
		cases["block"] = useScheduler
	}
	if name == "gc" {
		debug.SetGCPercent(20)
	}
	f, _ := os.Create(dir + "/go-" + name + ".cpu.pb.gz")
	pprof.StartCPUProfile(f)
	seconds, _ := time.ParseDuration(os.Args[3])
	end := time.Now().Add(seconds)
	if name == "leak" {
		end = time.Now()
		cases[name]()
	}
	for time.Now().Before(end) {
		cases[name]()
	}
	pprof.StopCPUProfile()
	f.Close()
	for _, p := range []string{"heap", "mutex", "block", "goroutine", "goroutineleak"} {
		q := pprof.Lookup(p)
		if q == nil {
			continue
		}
		g, _ := os.Create(dir + "/go-" + name + "." + p + ".pb.gz")
		q.WriteTo(g, 0)
		g.Close()
	}
}

// Workload writes one real profile of each kind that Go's runtime knows into a directory:
//
//	go run . DIRECTORY SECONDS
//
// It burns CPU in inlined, recursive and generic functions and in closures, under labels; it keeps memory; goroutines wait for a
// mutex and for channels. For some kinds it writes the text form (debug=1, debug=2), too, for those who have to refuse it.
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	sink uint64
	kept [][]byte
)

type number interface{ ~int | ~uint64 }

// small is inlined into its callers, so that locations have several lines.
func small(x uint64) uint64 { return x*2862933555777941757 + 3037000493 }

func sum[T number](values []T) T {
	var total T
	for _, value := range values {
		total += value
	}
	return total
}

func spin(rounds int) uint64 {
	x := uint64(rounds)
	for i := 0; i < rounds; i++ {
		x = small(x) ^ small(x>>7)
	}
	return x
}

//go:noinline
func fibonacci(n int) int {
	if n < 2 {
		return n
	}
	return fibonacci(n-1) + fibonacci(n-2)
}

type indexer struct{ words map[string]int }

func (i *indexer) add(text string) {
	for _, word := range strings.Fields(text) {
		i.words[word]++
	}
}

func search(rounds int) {
	index := &indexer{words: map[string]int{}}
	for n := 0; n < rounds; n++ {
		index.add("word" + strconv.Itoa(n%100) + " a mutex is held " + fmt.Sprint(n))
	}
	keys := make([]string, 0, len(index.words))
	for key := range index.words {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(a, b int) bool { return keys[a] < keys[b] })
	sink += uint64(len(keys))
}

func burn(until time.Time) {
	values := make([]uint64, 4096)
	for time.Now().Before(until) {
		pprof.Do(context.Background(), pprof.Labels("handler", "search", "größe", "ü \"quoted\""), func(context.Context) { search(200) })
		pprof.Do(context.Background(), pprof.Labels("handler", "spin"), func(context.Context) { sink += spin(200_000) + sum(values) })
		sink += uint64(fibonacci(18))
		digest := sha256.Sum256(make([]byte, 1<<16))
		sink += uint64(digest[0])
	}
}

func contend(rounds int) {
	var mutex sync.Mutex
	var all sync.WaitGroup
	for worker := 0; worker < 4; worker++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; i < rounds; i++ {
				mutex.Lock()
				time.Sleep(50 * time.Microsecond)
				mutex.Unlock()
			}
		}()
	}
	all.Wait()
}

func keep() {
	for i := 0; i < 64; i++ {
		kept = append(kept, make([]byte, 1<<(10+i%10)))
	}
}

func wait(done <-chan struct{}) { <-done }

func write(directory, name string, debug int, profile *pprof.Profile) {
	file, err := os.Create(filepath.Join(directory, name))
	if err != nil {
		panic(err)
	}
	defer file.Close()
	if err := profile.WriteTo(file, debug); err != nil {
		panic(err)
	}
}

func cpu(directory string, seconds float64) {
	file, err := os.Create(filepath.Join(directory, "cpu.pb.gz"))
	if err != nil {
		panic(err)
	}
	defer file.Close()
	if err := pprof.StartCPUProfile(file); err != nil {
		panic(err)
	}
	burn(time.Now().Add(time.Duration(seconds * float64(time.Second))))
	pprof.StopCPUProfile()
}

func main() {
	directory := os.Args[1]
	seconds, err := strconv.ParseFloat(os.Args[2], 64)
	if err != nil {
		panic(err)
	}
	runtime.MemProfileRate = 4096
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	done := make(chan struct{})
	for i := 0; i < 5; i++ {
		go wait(done)
	}
	keep()
	cpu(directory, seconds)
	contend(200)
	runtime.GC()
	for _, profile := range pprof.Profiles() {
		write(directory, profile.Name()+".pb.gz", 0, profile)
	}
	write(directory, "heap.txt", 1, pprof.Lookup("heap"))
	write(directory, "mutex.txt", 1, pprof.Lookup("mutex"))
	write(directory, "goroutine.txt", 1, pprof.Lookup("goroutine"))
	write(directory, "goroutine2.txt", 2, pprof.Lookup("goroutine"))
	close(done)
	fmt.Fprintln(os.Stderr, "sink", sink, len(kept))
}

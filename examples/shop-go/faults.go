package main

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
)

// faults are what can go wrong in the shop, each on or off.
type faults struct {
	switches map[string]*atomic.Bool
}

func newFaults() *faults {
	faults := &faults{switches: map[string]*atomic.Bool{}}
	for _, name := range []string{"cpu-heavy-order", "goroutine-leak", "heavy-export", "lock-hot-spot", "slow-search"} {
		faults.switches[name] = &atomic.Bool{}
	}
	return faults
}

// on tells whether a fault is on.
func (faults *faults) on(name string) bool {
	return faults.switches[name].Load()
}

func (faults *faults) list(w http.ResponseWriter, _ *http.Request) {
	states := map[string]bool{}
	for name, fault := range faults.switches {
		states[name] = fault.Load()
	}
	respond(w, states)
}

// set switches the fault that the path names as the body says: {"on": true}.
func (faults *faults) set(w http.ResponseWriter, r *http.Request) {
	fault, ok := faults.switches[r.PathValue("name")]
	if !ok {
		http.Error(w, "no such fault", http.StatusNotFound)
		return
	}
	var body struct {
		On *bool `json:"on"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1_000)).Decode(&body); err != nil || body.On == nil {
		http.Error(w, `{"on": true} or {"on": false} is needed`, http.StatusBadRequest)
		return
	}
	fault.Store(*body.On)
	faults.list(w, r)
}

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	catalogueSize = 2_000
	// matches is how many products a search returns at most.
	matches = 20
	// leakedAtMost bounds the goroutines that the fault goroutine-leak leaves behind.
	leakedAtMost = 5_000
	// reserveTime is what the fault lock-hot-spot does while it holds the lock of the stock.
	reserveTime = 2 * time.Millisecond
)

type product struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Cents int    `json:"cents"`
}

// shop has a catalogue that never changes, and a stock that orders take from.
type shop struct {
	faults   *faults
	products []product
	stock    stock
	leaked   chan struct{}
}

func newShop() *shop {
	shop := &shop{faults: newFaults(), leaked: make(chan struct{}, leakedAtMost)}
	kinds := []string{"lamp", "chair", "table", "shelf", "clock"}
	for id := range catalogueSize {
		name := fmt.Sprintf("%s %d", kinds[id%len(kinds)], id)
		shop.products = append(shop.products, product{id, name, 100 + id*7%9_900})
	}
	shop.stock.left = make([]int, catalogueSize)
	return shop
}

func (shop *shop) product(w http.ResponseWriter, r *http.Request) {
	product, ok := shop.find(r.PathValue("id"))
	if !ok {
		http.Error(w, "no such product", http.StatusNotFound)
		return
	}
	respond(w, product)
}

func (shop *shop) search(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query().Get("q")
	if shop.faults.on("slow-search") {
		respond(w, searchByPattern(shop.products, query))
		return
	}
	respond(w, searchByText(shop.products, query))
}

func (shop *shop) order(w http.ResponseWriter, r *http.Request) {
	product, ok := shop.find(r.URL.Query().Get("product"))
	if !ok {
		http.Error(w, "product: the number of a product is needed", http.StatusBadRequest)
		return
	}
	if shop.faults.on("cpu-heavy-order") {
		product.Cents -= tryEveryDiscount(product.Cents)
	}
	shop.stock.reserve(product.ID, shop.faults.on("lock-hot-spot"))
	if shop.faults.on("goroutine-leak") {
		shop.leakNotification(product)
	}
	w.WriteHeader(http.StatusCreated)
}

func (shop *shop) export(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	if shop.faults.on("heavy-export") {
		fmt.Fprint(w, exportByConcatenation(shop.products))
		return
	}
	for _, product := range shop.products {
		fmt.Fprintf(w, "%d,%s,%d\n", product.ID, product.Name, product.Cents)
	}
}

func (shop *shop) find(id string) (product, bool) {
	number, err := strconv.Atoi(id)
	if err != nil || number < 0 || number >= len(shop.products) {
		return product{}, false
	}
	return shop.products[number], true
}

// stock is what is left of each product.
type stock struct {
	mutex sync.Mutex
	left  []int
}

// reserve takes one of a product. Slow, it is a lock hot spot: it does under the lock what does not need it.
func (stock *stock) reserve(id int, slow bool) {
	stock.mutex.Lock()
	defer stock.mutex.Unlock()
	if slow {
		time.Sleep(reserveTime)
	}
	stock.left[id]--
}

func searchByText(products []product, query string) []product {
	var found []product
	for _, product := range products {
		if strings.Contains(product.Name, query) && len(found) < matches {
			found = append(found, product)
		}
	}
	return found
}

// searchByPattern is slow: it compiles the same expression for each product.
func searchByPattern(products []product, query string) []product {
	var found []product
	for _, product := range products {
		pattern, err := regexp.Compile("(?i)\\b" + regexp.QuoteMeta(query))
		if err == nil && pattern.MatchString(product.Name) && len(found) < matches {
			found = append(found, product)
		}
	}
	return found
}

// tryEveryDiscount is slow: it looks for the best discount of at most a fifth by trying them all, again and again.
func tryEveryDiscount(cents int) int {
	best, score := 0, -1
	for round := range 2_000 {
		for discount := 0; discount <= cents/5; discount++ {
			if points := (discount*discount + round) % 9_973; points > score {
				best, score = discount, points
			}
		}
	}
	return best
}

// exportByConcatenation is heavy: each row copies all rows before it, for the collector to take away.
func exportByConcatenation(products []product) string {
	text := ""
	for _, product := range products {
		text += fmt.Sprintf("%d,%s,%d\n", product.ID, product.Name, product.Cents)
	}
	return text
}

// leakNotification starts a goroutine that sends to a channel from which nobody receives. It stays until the process ends.
func (shop *shop) leakNotification(product product) {
	select {
	case shop.leaked <- struct{}{}:
	default:
		return
	}
	answers := make(chan string)
	go notifyWarehouse(product, answers)
}

func notifyWarehouse(product product, answers chan<- string) {
	answers <- "packed " + product.Name
}

func respond(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		return // the client has gone
	}
}

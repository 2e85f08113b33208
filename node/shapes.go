package node

import (
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/starling-social/starling/records"
)

// shapes remembers which places held the pages that were read lately. Whoever reads
// a page again asks for all of them at once, so that it takes a round however busy
// the timeline is. What is remembered is asked, never believed: a page that has
// changed is read like a new one.
//
// It is safe for concurrent use.
type shapes struct {
	held *lru.Cache[shape, []records.Place]
}

// A shape is that of the page of one timeline before a position.
type shape struct {
	root   records.Place
	before records.Position
}

const (
	shapesKept = 1 << 11 // pages
	shapeSize  = 32      // places of each, 120 bytes each: a dense page has twenty
)

func newShapes() *shapes {
	held, err := lru.New[shape, []records.Place](shapesKept)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return &shapes{held}
}

// suggest tells a walk what held the page when it was read before.
func (s *shapes) suggest(w *records.Walk, roots []records.Place, before records.Position) {
	for _, root := range roots {
		if held, ok := s.held.Get(shape{root, before}); ok {
			w.Suppose(held...)
		}
	}
}

// learn remembers what a walk found to hold the page.
func (s *shapes) learn(w *records.Walk, before records.Position) {
	of := map[records.Place][]records.Place{}
	for _, p := range w.Held() {
		if root := p.Root(); !p.IsRoot() && len(of[root]) < shapeSize {
			of[root] = append(of[root], p)
		}
	}
	for root, held := range of {
		s.held.Add(shape{root, before}, held)
	}
}

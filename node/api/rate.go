package api

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Rates are token buckets: whoever was quiet may ask much at once and then goes on
// at a pace. Nobody is shut out, because behind one address there may be an office
// or a country, and one of them is broken.
//
// A bucket of b that fills by r a second lets b + r·t through in any time t.
const (
	// 600 at once and 8 a second: 3,000 requests in any 5 minutes.
	strangerBurst = 600
	strangerPace  = 8 // requests a second

	// maxAddresses bounds what is remembered of strangers, to some 10 MB. The one
	// that asked longest ago is forgotten; who has so many addresses is not stopped by
	// counting them.
	maxAddresses = 1 << 16
	groupIPv6    = 64 // bits: what one customer of a provider has
)

// Creates is how many posts the owner's programs may publish in an hour, unless
// told otherwise: far more than a person does, and few enough that a program gone
// mad does not fill the owner's timeline for good.
const Creates = 1000

// What changes of records cost: a new one stays for ever, a later version takes the
// place of an earlier one. A route that changes something and is not here costs
// nothing: it writes no record, or is bounded elsewhere. The proportion is that of
// atproto's servers.
const (
	costCreate = 3 // points
	costUpdate = 2
	costDelete = 1
)

var costs = map[string]int{
	"POST /v1/posts":        costCreate,
	"PUT /v1/posts/{id}":    costUpdate,
	"DELETE /v1/posts/{id}": costDelete,

	"PUT /v1/registers/{user}/{name...}":    costUpdate,
	"DELETE /v1/registers/{user}/{name...}": costDelete,
	"PUT /v1/names/{nickname}":              costUpdate,
	"DELETE /v1/names/{nickname}":           costDelete,
}

// costOf is what a request has changed cost.
func (t *router) costOf(r *http.Request) int {
	if p := t.find(r); p != nil {
		return costs[r.Method+" "+p.pattern]
	}
	return 0
}

// newBudget is what changes are paid from: so many creates in any hour, half of them
// at once. Nil for no bound.
func newBudget(creates int) *rate.Limiter {
	if creates <= 0 {
		return nil
	}
	half := float64(creates) * costCreate / 2
	return rate.NewLimiter(rate.Limit(half/time.Hour.Seconds()), int(math.Ceil(half)))
}

// spend takes n from a bucket, or says how long to wait until it has them. Nothing is
// owed for a request that is refused.
func spend(b *rate.Limiter, n int) (wait time.Duration) {
	if b == nil || n == 0 {
		return 0
	}
	now := time.Now()
	taken := b.ReserveN(now, n)
	if !taken.OK() {
		return time.Hour // more than it ever holds
	}
	if wait = taken.DelayFrom(now); wait > 0 {
		taken.CancelAt(now)
	}
	return wait
}

// strangers counts those who show nothing, by address.
type strangers struct {
	proxies []netip.Prefix // believed when they say for whom they ask
	buckets *lru.Cache[netip.Prefix, *rate.Limiter]
	watches *tally
}

func newStrangers(proxies []netip.Prefix) *strangers {
	buckets, err := lru.New[netip.Prefix, *rate.Limiter](maxAddresses)
	if err != nil { // a size above 0 always is one
		panic(err)
	}
	return &strangers{proxies: proxies, buckets: buckets, watches: newTally(maxWatchesFrom, maxPublicWatches)}
}

// spend takes a request from the bucket of whoever sent it.
func (s *strangers) spend(r *http.Request) (wait time.Duration) {
	of := s.group(r)
	bucket, known := s.buckets.Get(of)
	if !known {
		bucket = rate.NewLimiter(strangerPace, strangerBurst)
		if earlier, known, _ := s.buckets.PeekOrAdd(of, bucket); known {
			bucket = earlier
		}
	}
	return spend(bucket, 1)
}

// group is who asks, as far as an address tells.
func (s *strangers) group(r *http.Request) netip.Prefix {
	return groupOf(s.address(r))
}

func groupOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = groupIPv6
	}
	p, _ := a.Prefix(bits) // the zero prefix for what has no address
	return p
}

// address is the one that the connection comes from or, if that is a proxy of ours,
// the last one in X-Forwarded-For that no proxy of ours is: what stands before it,
// the caller may have written.
func (s *strangers) address(r *http.Request) netip.Addr {
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	a := from.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.proxy(a); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		a = next.Unmap()
	}
	return a
}

func (s *strangers) proxy(a netip.Addr) bool {
	for _, p := range s.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// tooMany says when to come again.
func tooMany(w http.ResponseWriter, wait time.Duration, limit, detail string) *Problem {
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return over(limit, CodeManyRequests, "%s; come again in %d seconds", detail, seconds)
}

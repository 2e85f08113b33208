package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/records"
)

// Metrics: what a node tells Prometheus of itself. Most of it is read when somebody
// asks (figures.go, of what reading.go gathers); what has to be noted as it happens is
// here. No label holds anything that a stranger chooses: no hashtag, user, peer or
// address, so that nobody can make a node's metrics grow.

// metrics are the counts of one node that runs with [Config.Metrics]. A nil one counts
// nothing. It is safe for concurrent use.
type metrics struct {
	registry prometheus.Registerer
	node     *Node
	figures  []figure

	publishes   *prometheus.HistogramVec // by outcome
	members     *prometheus.CounterVec   // of published places, by what they did
	pages       prometheus.Histogram
	rounds      prometheus.Counter
	gaps        prometheus.Counter
	watches     prometheus.Gauge
	events      *prometheus.CounterVec   // that watchers saw, by kind
	requests    *prometheus.HistogramVec // to other nodes, by kind
	putsSent    *prometheus.CounterVec   // by outcome
	asked       *prometheus.CounterVec   // buckets, by outcome
	searches    *prometheus.HistogramVec // by outcome
	merges      prometheus.Histogram
	reads       prometheus.Histogram
	comparisons *prometheus.HistogramVec // by outcome
	harms       prometheus.Counter
}

// Buckets of histograms, in seconds.
var (
	briefly = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5} // a disk
	quickly = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}                         // the network
	slowly  = []float64{.01, .05, .1, .5, 1, 5, 10, 30, 60, 120, 300, 600}                            // healing
)

// outcomes are the values of labels that may be counted. All stand there from the
// beginning, so that a rate is known from the first time on.
var (
	publishOutcomes = []string{"stored", "no_quorum", "not_shown", "cancelled", "failed"}
	memberOutcomes  = []string{"stored", "full", "missing"}
	eventKinds      = []string{"past", "live", "missed"}
	requestKinds    = []string{"put", "fetch"}
	putOutcomes     = append([]string{"stored", "held", "below", "broken", "unanswered"}, refusals()...)
	askOutcomes     = append([]string{"answered", "broken", "unanswered"}, refusals()...)
	searchOutcomes  = []string{"answered", "silent"}
	compareOutcomes = []string{"whole", "broken_off"}
)

// refusals are the labels of all codes.
func refusals() (out []string) {
	for c := exchange.Malformed; int(c) < exchange.Codes; c++ {
		out = append(out, labelOf(c))
	}
	return out
}

func newMetrics(n *Node) *metrics {
	if n.config.Metrics == nil {
		return nil
	}
	return &metrics{
		registry: n.config.Metrics, node: n, figures: figures(),

		publishes:   durations("starling_publish_seconds", "Time to publish a record until a majority had it on disk and others showed it, by outcome.", quickly, "outcome", publishOutcomes),
		members:     counts("starling_publish_members_total", "Members of places that were published to, by what became of it there.", "outcome", memberOutcomes),
		pages:       duration("starling_timeline_page_seconds", "Time to read a page of a timeline.", quickly),
		rounds:      count("starling_timeline_rounds_total", "Rounds of questions that pages of timelines took, one after the other."),
		gaps:        count("starling_timeline_gaps_total", "Places of timelines for which nobody answered."),
		watches:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "starling_watches", Help: "Watches that are open on this node."}),
		events:      counts("starling_watch_events_total", "Posts that watchers were shown, by kind; missed are those that came faster than they were taken.", "kind", eventKinds),
		requests:    durations("starling_exchange_request_seconds", "Time for another node to answer, by kind of request.", quickly, "kind", requestKinds),
		putsSent:    counts("starling_exchange_sent_entries_total", "Records put to other nodes, each at a place, by what became of it there.", "outcome", putOutcomes),
		asked:       counts("starling_exchange_asked_buckets_total", "Buckets that other nodes were asked for, by outcome.", "outcome", askOutcomes),
		searches:    durations("starling_dht_search_seconds", "Time to search the network for the nodes nearest to a key, by whether anybody answered.", quickly, "outcome", searchOutcomes),
		merges:      duration("starling_store_merge_seconds", "Time until what was put by others or by the owner was on disk.", briefly),
		reads:       duration("starling_store_read_seconds", "Time to read a bucket for another node.", briefly),
		comparisons: durations("starling_heal_comparison_seconds", "Time to compare what is held with one neighbour, by whether that came to its end.", slowly, "outcome", compareOutcomes),
		harms:       count("starling_store_harmed_total", "Times that the store lost records to a damaged disk."),
	}
}

func count(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func counts(name, help, label string, values []string) *prometheus.CounterVec {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	for _, value := range values {
		v.WithLabelValues(value)
	}
	return v
}

func duration(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
}

func durations(name, help string, buckets []float64, label string, values []string) *prometheus.HistogramVec {
	v := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{label})
	for _, value := range values {
		v.WithLabelValues(value)
	}
	return v
}

// register makes the node's metrics known. They are taken back by withdraw, so that a
// registry can outlive a node.
func (m *metrics) register() error {
	if m == nil {
		return nil
	}
	if err := m.registry.Register(m); err != nil {
		return fmt.Errorf("metrics: %w: a registry serves one node", err)
	}
	return nil
}

func (m *metrics) withdraw() {
	if m != nil {
		m.registry.Unregister(m)
	}
}

// noted are the counts that are noted as things happen.
func (m *metrics) noted() []prometheus.Collector {
	return []prometheus.Collector{
		m.publishes, m.members, m.pages, m.rounds, m.gaps, m.watches, m.events, m.requests, m.putsSent, m.asked,
		m.searches, m.merges, m.reads, m.comparisons, m.harms,
	}
}

// published notes how publishing went.
func (m *metrics) published(r Receipt, began time.Time, err error) {
	if m == nil {
		return
	}
	m.publishes.WithLabelValues(publishOutcome(err)).Observe(time.Since(began).Seconds())
	for _, p := range r.Places {
		m.members.WithLabelValues("stored").Add(float64(p.Stored))
		m.members.WithLabelValues("full").Add(float64(p.Full))
		m.members.WithLabelValues("missing").Add(float64(max(p.Wanted-p.Stored-p.Full, 0)))
	}
}

func publishOutcome(err error) string {
	switch {
	case err == nil:
		return "stored"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.As(err, new(notReadBack)): // which is an ErrNoQuorum too
		return "not_shown"
	case errors.Is(err, ErrNoQuorum):
		return "no_quorum"
	default:
		return "failed"
	}
}

// paged notes how reading a page went.
func (m *metrics) paged(began time.Time, rounds, gaps int) {
	if m == nil {
		return
	}
	m.pages.Observe(time.Since(began).Seconds())
	m.rounds.Add(float64(rounds))
	m.gaps.Add(float64(gaps))
}

// watching notes a watch, until what it returns is called.
func (m *metrics) watching() (ended func()) {
	if m == nil {
		return func() {}
	}
	m.watches.Inc()
	return m.watches.Dec
}

// saw notes what a watcher was shown.
func (m *metrics) saw(e Event) {
	switch {
	case m == nil:
	case e.Record == nil:
		m.events.WithLabelValues("missed").Add(float64(e.Missed))
	case e.Live:
		m.events.WithLabelValues("live").Inc()
	default:
		m.events.WithLabelValues("past").Inc()
	}
}

// put notes what became of records put to another node.
func (m *metrics) put(puts int, results []exchange.Result, began time.Time, err error) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues("put").Observe(time.Since(began).Seconds())
	if err != nil {
		m.putsSent.WithLabelValues(refusal(err)).Add(float64(puts))
		return
	}
	for _, r := range results {
		m.putsSent.WithLabelValues(putOutcome(r)).Inc()
	}
}

func putOutcome(r exchange.Result) string {
	switch {
	case r.Err != nil:
		return refusal(r.Err)
	case r.Outcome.Status == records.Stored:
		return "stored"
	case r.Outcome.Status == records.Have:
		return "held"
	default:
		return "below"
	}
}

// refusal is why there was no answer, in one word of a short list.
func refusal(err error) string {
	var r *exchange.Refusal
	switch {
	case errors.As(err, &r) && int(r.Code) < exchange.Codes:
		return labelOf(r.Code)
	case errors.Is(err, exchange.ErrProtocol), r != nil:
		return "broken"
	default:
		return "unanswered"
	}
}

// labelOf is a code as it stands in a label.
func labelOf(c exchange.Code) string { return strings.ReplaceAll(c.String(), " ", "_") }

// fetched notes what another node answered about buckets.
func (m *metrics) fetched(queries int, answers []exchange.Answer, began time.Time, err error) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues("fetch").Observe(time.Since(began).Seconds())
	if err != nil {
		m.asked.WithLabelValues(refusal(err)).Add(float64(queries))
		return
	}
	for _, a := range answers {
		if a.Err != nil {
			m.asked.WithLabelValues(refusal(a.Err)).Inc()
			continue
		}
		m.asked.WithLabelValues("answered").Inc()
	}
}

// searched notes a search of the network.
func (m *metrics) searched(took time.Duration, answered bool) {
	switch {
	case m == nil:
	case answered:
		m.searches.WithLabelValues("answered").Observe(took.Seconds())
	default:
		m.searches.WithLabelValues("silent").Observe(took.Seconds())
	}
}

// compared notes a comparison with a neighbour.
func (m *metrics) compared(began time.Time, err error) {
	switch {
	case m == nil:
	case err == nil:
		m.comparisons.WithLabelValues("whole").Observe(time.Since(began).Seconds())
	default:
		m.comparisons.WithLabelValues("broken_off").Observe(time.Since(began).Seconds())
	}
}

// harmed notes that the disk damaged something.
func (m *metrics) harmed() {
	if m != nil {
		m.harms.Inc()
	}
}

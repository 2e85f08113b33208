package node

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starling-social/starling/datastore"
	"github.com/starling-social/starling/protocol/dht"
	"github.com/starling-social/starling/protocol/exchange"
	"github.com/starling-social/starling/protocol/gossip"
	"github.com/starling-social/starling/records"
)

// An instant is all that figures are made of, at one moment.
type instant struct {
	Status

	at       time.Time
	started  time.Time
	health   Health
	stats    datastore.Stats
	disk     datastore.Condition
	dht      dht.Status
	served   exchange.Stats
	live     gossip.Stats
	followed int
	brims    [brimCount]uint64
}

// instant looks at every part. It waits for none.
func (n *Node) instant() *instant {
	return &instant{
		Status: n.Status(), at: n.now(), started: n.started, health: n.Health(),
		stats: n.store.Stats(), disk: n.store.Condition(), dht: n.dht.Status(),
		served: n.server.Stats(), live: n.gossip.Stats(), followed: len(n.Following()), brims: n.brims.all(),
	}
}

// A figure is a metric that is worked out when somebody asks.
type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	tell func(*instant, tell)
}

// tell says one value of a figure, with the values of its labels.
type tell func(value float64, labels ...string)

// gauge is a figure that rises and falls.
func gauge(name, help string, value func(*instant) float64) figure {
	return figure{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, func(i *instant, say tell) { say(value(i)) }}
}

// counter is a figure that rises alone.
func counter(name, help string, value func(*instant) float64) figure {
	return figure{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, func(i *instant, say tell) { say(value(i)) }}
}

// gauges and counters have a label.
func gauges(name, help string, values func(*instant, tell), labels ...string) figure {
	return figure{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue, values}
}

func counters(name, help string, values func(*instant, tell), labels ...string) figure {
	return figure{prometheus.NewDesc(name, help, labels, nil), prometheus.CounterValue, values}
}

// Describe and Collect make metrics what Prometheus collects.
var _ prometheus.Collector = (*metrics)(nil)

// Describe tells of every metric there can be.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, f := range m.figures {
		out <- f.desc
	}
	for _, c := range m.noted() {
		c.Describe(out)
	}
}

// Collect tells every metric as it is now.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	now := m.node.instant()
	for _, f := range m.figures {
		f.tell(now, func(value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
		})
	}
	for _, c := range m.noted() {
		c.Collect(out)
	}
}

// A timedStore measures what others are answered from.
type timedStore struct {
	exchange.Store

	metrics *metrics
}

// timed measures a store if there is somebody to tell.
func (m *metrics) timed(s exchange.Store) exchange.Store {
	if m == nil {
		return s
	}
	return timedStore{s, m}
}

func (s timedStore) Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error) {
	began := time.Now()
	defer func() { s.metrics.merges.Observe(time.Since(began).Seconds()) }()
	return s.Store.Merge(ctx, puts)
}

func (s timedStore) Bucket(q records.Query) (records.Bucket, error) {
	began := time.Now()
	defer func() { s.metrics.reads.Observe(time.Since(began).Seconds()) }()
	return s.Store.Bucket(q)
}

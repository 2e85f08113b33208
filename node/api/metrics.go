package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What is counted of requests. Labels are names of ours, all of them there from the
// beginning: the id of an operation as in the OpenAPI document, or one of these.
const (
	operationPage  = "page"  // the page and its files
	operationAdmin = "admin" // metrics and profiles
	operationNone  = "none"  // what there is not
)

// Names of listeners.
const (
	listenerOwner  = "owner"
	listenerPublic = "public"
	listenerAdmin  = "admin"
)

// statusClasses are those of statuses that are sent.
var statusClasses = []string{"2xx", "3xx", "4xx", "5xx"}

// metrics are what a server counts. A nil one counts nothing. It is safe for concurrent use.
type metrics struct {
	registry prometheus.Registerer

	requests *prometheus.CounterVec   // by operation and class of the status
	took     *prometheus.HistogramVec // by operation
	underway *prometheus.GaugeVec     // by listener
	watchers *prometheus.GaugeVec     // by listener
	limits   *prometheus.CounterVec   // by name
	endless  map[string]bool          // operations that end when the caller leaves: nobody waits for them
}

// answered are the bounds of a histogram, in seconds: from what is at hand to what the
// network is asked for.
var answered = []float64{.001, .005, .025, .1, .5, 2.5, 10, 60}

// newMetrics counts for a server with these routes.
func newMetrics(r prometheus.Registerer, t *router) *metrics {
	if r == nil {
		return nil
	}
	m := &metrics{
		registry: r,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "starling_http_requests_total", Help: "Requests that were answered over HTTP, by operation and class of the status.",
		}, []string{"operation", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "starling_http_request_seconds", Help: "Time to answer a request over HTTP, by operation; watches, which end when the caller leaves, aside.", Buckets: answered,
		}, []string{"operation"}),
		underway: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "starling_http_requests_in_flight", Help: "Requests being answered over HTTP, watches among them, by listener.",
		}, []string{"listener"}),
		watchers: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "starling_http_watchers", Help: "Watches open over HTTP, by listener.",
		}, []string{"listener"}),
		limits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "starling_http_limits_reached_total", Help: "Requests that were refused because a limit was reached, by its name in GET /v1/limits or its key among the settings.",
		}, []string{"setting"}),
		endless: map[string]bool{},
	}
	all := []string{operationPage, operationAdmin, operationNone}
	for _, p := range t.paths {
		for _, o := range p.operations {
			all = append(all, o.id)
			m.endless[o.id] = o.answer.endless
		}
	}
	for _, id := range all {
		for _, class := range statusClasses {
			m.requests.WithLabelValues(id, class)
		}
		if !m.endless[id] {
			m.took.WithLabelValues(id)
		}
	}
	for _, name := range []string{listenerOwner, listenerPublic, listenerAdmin} {
		m.underway.WithLabelValues(name)
	}
	for _, name := range []string{listenerOwner, listenerPublic} {
		m.watchers.WithLabelValues(name)
	}
	for _, name := range limitNames {
		m.limits.WithLabelValues(name)
	}
	return m
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.took, m.underway, m.watchers, m.limits}
}

// register makes the metrics known, until they are withdrawn.
func (m *metrics) register() error {
	if m == nil {
		return nil
	}
	for i, c := range m.all() {
		if err := m.registry.Register(c); err != nil {
			for _, before := range m.all()[:i] {
				m.registry.Unregister(before)
			}
			return fmt.Errorf("metrics of the API: %w: a registry serves one server", err)
		}
	}
	return nil
}

func (m *metrics) withdraw() {
	if m == nil {
		return
	}
	for _, c := range m.all() {
		m.registry.Unregister(c)
	}
}

// asked notes a request, until what it returns is called.
func (m *metrics) asked(listener, operation string, out *promptWriter) (answered func()) {
	if m == nil {
		return func() {}
	}
	began := time.Now()
	m.underway.WithLabelValues(listener).Inc()
	return func() {
		m.underway.WithLabelValues(listener).Dec()
		m.requests.WithLabelValues(operation, classOf(out.status)).Inc()
		if !m.endless[operation] {
			m.took.WithLabelValues(operation).Observe(time.Since(began).Seconds())
		}
	}
}

// classOf is that of a status; what sets none answers with 200.
func classOf(status int) string {
	if status == 0 {
		status = http.StatusOK
	}
	if class := strconv.Itoa(status/100) + "xx"; slices.Contains(statusClasses, class) {
		return class
	}
	return statusClasses[0] // 1xx is never the end of it
}

// watching notes a watch, until what it returns is called.
func (m *metrics) watching(public bool) (ended func()) {
	if m == nil {
		return func() {}
	}
	name := listenerOwner
	if public {
		name = listenerPublic
	}
	m.watchers.WithLabelValues(name).Inc()
	return m.watchers.WithLabelValues(name).Dec
}

// reached notes that a limit was.
func (m *metrics) reached(limit string) {
	if m != nil {
		m.limits.WithLabelValues(limit).Inc()
	}
}

// operationOf is what a request asks for.
func (t *router) operationOf(r *http.Request) string {
	p := t.find(r)
	if p == nil {
		return operationNone
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if o, ok := p.operations[method]; ok {
		return o.id
	}
	return operationNone
}

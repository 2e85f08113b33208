package api

import (
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of looking at a node.
const (
	maxScrapes = 4                // at once
	scrapeTime = 10 * time.Second // for one; Prometheus itself gives up after as much
)

// NewMetrics is a registry for one node, which holds what can be told of the process:
// memory, goroutines, files.
func NewMetrics() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Operate is what operators look at a node with: /metrics, in the formats of
// Prometheus, and /debug/pprof. It asks nobody who they are: that is for the listener
// it stands behind. A profile shows what is in memory, so that must not be a public one.
func Operate(metrics prometheus.Gatherer, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError, // the node's own metrics are of use without libp2p's
		MaxRequestsInFlight: maxScrapes, Timeout: scrapeTime,
	}))
	for path, handler := range map[string]http.HandlerFunc{
		"":        pprof.Index,
		"cmdline": pprof.Cmdline,
		"profile": pprof.Profile,
		"symbol":  pprof.Symbol,
		"trace":   pprof.Trace,
	} {
		mux.HandleFunc("GET /debug/pprof/"+path, func(w http.ResponseWriter, r *http.Request) {
			patient(w) // a profile takes as long as was asked for
			handler(w, r)
		})
	}
	return mux
}

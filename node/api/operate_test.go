package api_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

var rewrite = flag.Bool("rewrite", false, "write what the documents have of the code anew, instead of comparing")

// family is a metric as it is exposed.
type family struct {
	kind, help string
	labels     map[string]map[string]bool // values by label
}

// exposed is what a node that knows another one exposes at /metrics.
func exposed(t *testing.T) map[string]*family {
	t.Helper()
	metrics := api.NewMetrics()
	first := life(t, func(c *node.Config) { c.Metrics = metrics })
	second := life(t, func(c *node.Config) { c.Bootstrap = first.Addrs()[:1] })
	if len(second.Peers()) != 1 {
		t.Fatalf("nodes that are ready have %d peers", len(second.Peers()))
	}
	l, err := api.Listen("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, l, func(c *api.ServerConfig) { c.Metrics = metrics })
	if got := s.ask(t, http.MethodGet, "/readyz", ""); got.status != http.StatusOK {
		t.Fatalf("/readyz answers %d", got.status)
	}
	answer := httptest.NewRecorder()
	api.Operate(metrics, slog.New(slog.DiscardHandler)).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	if answer.Code != http.StatusOK {
		t.Fatalf("/metrics answers %d", answer.Code)
	}
	return parse(answer.Body.String())
}

// life runs a real node, with a database and on loopback, until the test ends.
func life(t *testing.T, set func(*node.Config)) *node.Node {
	t.Helper()
	network, err := records.TestNetwork("metrics")
	if err != nil {
		t.Fatal(err)
	}
	c := node.Default()
	c.DataDir, c.Network, c.PortMap = t.TempDir(), network, false
	keys, err := node.LoadKeys(t.Context(), c.DataDir, network, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Identity, c.Person = keys.Node, keys.Person
	c.Listen = []string{"/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"}
	set(&c)
	n, err := node.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-n.Ready()
	return n
}

var (
	headOf   = regexp.MustCompile(`^# (HELP|TYPE) (\S+) (.*)$`)
	seriesOf = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? `)
	labelOf  = regexp.MustCompile(`([a-zA-Z_]+)="([^"]*)"`)
)

// parse reads the text format.
func parse(text string) map[string]*family {
	all := map[string]*family{}
	var now *family
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if m := headOf.FindStringSubmatch(line); m != nil {
			if all[m[2]] == nil {
				all[m[2]] = &family{labels: map[string]map[string]bool{}}
			}
			now = all[m[2]]
			if m[1] == "HELP" {
				now.help = m[3]
			} else {
				now.kind = m[3]
			}
			continue
		}
		m := seriesOf.FindStringSubmatch(line)
		for _, l := range labelOf.FindAllStringSubmatch(m[2], -1) {
			if l[1] == "le" || l[1] == "quantile" {
				continue
			}
			if now.labels[l[1]] == nil {
				now.labels[l[1]] = map[string]bool{}
			}
			now.labels[l[1]][l[2]] = true
		}
	}
	return all
}

const metricsPage = "../../docs/metrics.md"

// The page about metrics tells of each that a node has of its own, and of nothing else.
func TestMetrics_documented(t *testing.T) {
	all := exposed(t)
	page, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := bytes.Cut(page, []byte("<!-- metrics -->\n"))
	_, after, closed := bytes.Cut(rest, []byte("<!-- /metrics -->\n"))
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", metricsPage)
	}
	want := slices.Concat(before, []byte("<!-- metrics -->\n"+table(all)+"<!-- /metrics -->\n"), after)
	if *rewrite {
		if err := os.WriteFile(metricsPage, want, 0o600); err != nil { //nolint:gosec // the path is a constant
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(page, want) {
		t.Errorf("%s is not what a node exposes: run go test ./node/api -run TestMetrics -rewrite, and look at what changed", metricsPage)
	}
}

// table is the part of the page that is made of the metrics themselves.
func table(all map[string]*family) string {
	var b strings.Builder
	b.WriteString("| metric | kind | labels | what it says |\n| --- | --- | --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if f := all[name]; strings.HasPrefix(name, "starling_") {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, f.kind, f.told(), f.help)
		}
	}
	return b.String()
}

// told are the labels and their values, but for those that are each node's own.
func (f *family) told() string {
	var out []string
	for _, l := range slices.Sorted(maps.Keys(f.labels)) {
		if len(f.labels[l]) == 1 {
			out = append(out, "`"+l+"`")
			continue
		}
		if l == "operation" {
			out = append(out, "`operation`: the id in [the API](openapi.yaml), page, admin or none")
			continue
		}
		out = append(out, "`"+l+"`: "+strings.Join(slices.Sorted(maps.Keys(f.labels[l])), ", "))
	}
	return strings.Join(out, "; ")
}

// Page, alert rules and dashboard name no metric that a node does not have.
func TestMetrics_named(t *testing.T) {
	all := exposed(t)
	name := regexp.MustCompile(`\b(starling|libp2p|go|process)_[a-z0-9_]*[a-z0-9]\b`)
	for _, path := range []string{metricsPage, "../../deploy/prometheus/alerts.yml", "../../deploy/grafana/starling.json"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		named := name.FindAllString(string(text), -1)
		if len(named) < 10 {
			t.Errorf("%s names %d metrics", path, len(named))
		}
		for _, n := range named {
			if !has(all, n) {
				t.Errorf("%s names %s, which no node has", path, n)
			}
		}
	}
}

// has tells whether a name is that of a metric, or of a part of a histogram.
func has(all map[string]*family, name string) bool {
	if all[name] != nil {
		return true
	}
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if f := all[strings.TrimSuffix(name, part)]; strings.HasSuffix(name, part) && f != nil {
			return f.kind == "histogram" || f.kind == "summary"
		}
	}
	return false
}

// Profiles are there, and nothing is where nothing should be.
func TestOperate_paths(t *testing.T) {
	h := api.Operate(api.NewMetrics(), slog.New(slog.DiscardHandler))
	for path, want := range map[string]int{
		"/metrics": http.StatusOK, "/debug/pprof/": http.StatusOK, "/debug/pprof/goroutine?debug=1": http.StatusOK,
		"/debug/pprof/nothing": http.StatusNotFound, "/": http.StatusNotFound, "/debug": http.StatusNotFound,
	} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		if answer.Code != want {
			t.Errorf("%s answers %d, want %d", path, answer.Code, want)
		}
	}
}

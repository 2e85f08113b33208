package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starling-social/starling/node/api"
)

// counted is every series of a registry, by name and the values of its labels.
func counted(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			words := []string{f.GetName()}
			for _, l := range m.GetLabel() {
				words = append(words, l.GetValue())
			}
			out[strings.Join(words, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return out
}

// Requests are counted by what they ask for and how they are answered, also those that
// are refused at the door; what a caller writes is in no label; a watch is seen while it
// lasts; and what a server counted goes with it.
func TestMetrics_requests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := prometheus.NewRegistry()
		s, owner, public := onPipes(t, func(c *api.ServerConfig) {
			c.Metrics = r
			c.Page = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
		})
		synctest.Wait() // until it serves
		series := len(counted(t, r))
		const closing = "Connection: close\r\n"
		for _, request := range []string{
			"GET /v1/timeline?source=%23unmistakable HTTP/1.1\r\n" + closing + head,
			"HEAD /v1/timeline?source=%23unmistakable HTTP/1.1\r\n" + closing + head,
			"GET /v1/timeline?source=unmistakable HTTP/1.1\r\n" + closing + head,
			"GET /v1/timeline?source=%23unmistakable HTTP/1.1\r\n" + closing + stranger,
			"GET /v1/unmistakable HTTP/1.1\r\n" + closing + head,
			"UNMISTAKABLE /v1/status HTTP/1.1\r\n" + closing + head,
			"GET /unmistakable HTTP/1.1\r\n" + closing + head,
		} {
			readAnswer(t, owner.dial(t, request+"\r\n"))
		}
		c := public.dial(t, "GET /v1/watch?source=%23unmistakable HTTP/1.1\r\n"+stranger+"\r\n")
		readAnswer(t, c)
		synctest.Wait()
		for name, want := range map[string]float64{
			"starling_http_requests_total readTimeline 2xx":     2,
			"starling_http_requests_total readTimeline 4xx":     2,
			"starling_http_request_seconds readTimeline":        4,
			"starling_http_requests_total none 4xx":             2,
			"starling_http_requests_total page 2xx":             1,
			"starling_http_requests_total watchTimelines 2xx":   0,
			"starling_http_requests_in_flight public":           1,
			"starling_http_requests_in_flight owner":            0,
			"starling_http_watchers public":                     1,
			"starling_http_watchers owner":                      0,
			"starling_http_requests_total publishPost 5xx":      0,
			"starling_http_limits_reached_total records.places": 0,
		} {
			if got, known := counted(t, r)[name]; got != want || !known {
				t.Errorf("%s is %v (%t), want %v", name, got, known, want)
			}
		}
		c.Close()
		synctest.Wait()
		after := counted(t, r)
		if after["starling_http_watchers public"] != 0 || after["starling_http_requests_total watchTimelines 2xx"] != 1 || after["starling_http_requests_in_flight public"] != 0 {
			t.Errorf("a watch that ended: %v", after)
		}
		if len(after) != series {
			t.Errorf("%d series were %d at the beginning", len(after), series)
		}
		for name := range after {
			if strings.Contains(strings.ToLower(name), "unmistakable") {
				t.Errorf("a caller chose %s", name)
			}
		}
		s.stop()
		if left := counted(t, r); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

// brim is a server in virtual time, one of whose limits is about to be reached.
type brim struct {
	*served

	t             *testing.T
	owner, public *pipes
	conns         []net.Conn
}

// send begins a request that is not to be answered to its end, from an address.
func (b *brim) send(l *pipes, ip, request string) {
	b.t.Helper()
	b.conns = append(b.conns, l.dialFrom(b.t, ip, request))
}

// last is the answer to the request that is one too many.
func (b *brim) last(l *pipes, ip, request string) answer {
	b.t.Helper()
	synctest.Wait()
	c := l.dialFrom(b.t, ip, request)
	b.conns = append(b.conns, c)
	return readAnswer(b.t, c)
}

// watch is a request to watch a hashtag.
func watch(tag, header string) string {
	return "GET /v1/watch?source=%23" + tag + " HTTP/1.1\r\n" + header + "\r\n"
}

const (
	stranger = "Host: 127.0.0.1:7827\r\n"
	anAddr   = "192.0.2.1"
	publish  = "POST /v1/posts HTTP/1.1\r\n" + head + "Content-Length: 12\r\n\r\n{\"text\":\"x\"}"
)

// failing is a publication that ends in an error of the node.
func failing(err error) func(*brim) answer {
	return func(b *brim) answer {
		b.err = err
		return b.last(b.owner, anAddr, publish)
	}
}

// reaching says of each limit how it is reached.
var reaching = map[string]func(*brim) answer{
	"api.posts_per_hour": func(b *brim) answer { // 2, of which half at once
		b.send(b.owner, anAddr, publish)
		return b.last(b.owner, anAddr, publish)
	},
	"rates.stranger_requests_per_s": func(b *brim) answer {
		request := "GET /healthz HTTP/1.1\r\nConnection: close\r\n" + stranger + "\r\n"
		for range 600 {
			readAnswer(b.t, b.public.dial(b.t, request))
		}
		return b.last(b.public, anAddr, request)
	},
	"requests.body_bytes": func(b *brim) answer {
		return b.last(b.owner, anAddr, "POST /v1/posts HTTP/1.1\r\n"+head+"Content-Length: 65537\r\n\r\n")
	},
	"requests.body_s": func(b *brim) answer {
		return b.last(b.owner, anAddr, "POST /v1/posts HTTP/1.1\r\n"+head+"Content-Length: 12\r\n\r\n{")
	},
	"requests.answer_s": func(b *brim) answer {
		b.block = make(chan struct{})
		return b.last(b.owner, anAddr, publish)
	},
	"requests.at_once": func(b *brim) answer {
		b.block = make(chan struct{})
		for range 256 {
			b.send(b.owner, anAddr, publish)
		}
		return b.last(b.owner, anAddr, publish)
	},
	"requests.at_once_public": func(b *brim) answer {
		b.hold = make(chan struct{})
		request := "GET /v1/timeline?source=%23a HTTP/1.1\r\n" + stranger + "\r\n"
		for range 64 {
			b.send(b.public, anAddr, request)
		}
		out := b.last(b.public, anAddr, request)
		close(b.hold)
		return out
	},
	"requests.connections": func(b *brim) answer {
		for range 2048 {
			b.send(b.owner, anAddr, "")
		}
		synctest.Wait()
		client, server := net.Pipe()
		b.owner.accept <- from{server, anAddr}
		if _, err := client.Read(make([]byte, 1)); err == nil {
			b.t.Error("one too many was let in")
		}
		return answer{}
	},
	"requests.watches": func(b *brim) answer {
		for range 1024 {
			b.send(b.owner, anAddr, watch("a", head))
		}
		return b.last(b.owner, anAddr, watch("a", head))
	},
	"requests.watches_from": func(b *brim) answer {
		for range 256 {
			b.send(b.public, anAddr, watch("a", stranger))
		}
		return b.last(b.public, anAddr, watch("a", stranger))
	},
	"requests.watches_public": func(b *brim) answer {
		for i := range 2048 {
			b.send(b.public, fmt.Sprintf("198.51.100.%d", i%8), watch("a", stranger))
		}
		return b.last(b.public, anAddr, watch("a", stranger))
	},
	"requests.watch_topics": func(b *brim) answer {
		for i := range 256 {
			b.send(b.owner, anAddr, watch(fmt.Sprint("a", i), head))
		}
		return b.last(b.owner, anAddr, watch("another", head))
	},
	"requests.watch_topics_public": func(b *brim) answer {
		for i := range 192 {
			b.send(b.public, anAddr, watch(fmt.Sprint("a", i), stranger))
		}
		return b.last(b.public, anAddr, watch("another", stranger))
	},
	"requests.archives": func(b *brim) answer {
		request := "GET /v1/store/archive HTTP/1.1\r\nConnection: close\r\n" + head + "\r\n"
		b.shut = make(chan struct{})
		for range 4 {
			b.send(b.owner, anAddr, request)
		}
		out := b.last(b.owner, anAddr, request)
		close(b.shut)
		return out
	},
	"store.quota":          failing(node.ErrQuota),
	"store.free_space":     failing(node.ErrFloor),
	"records.text_bytes":   failing(node.ErrTextSize),
	"records.places":       failing(node.ErrManyTags),
	"records.record_bytes": failing(records.ErrTooLarge),
	"records.followed":     failing(node.ErrManyFollowed),
}

// Every limit, once it is reached, is named to the caller, in one line of the log and
// in metrics, each by the name by which it is set or asked for.
func TestLimits_named(t *testing.T) {
	for _, name := range api.LimitNames() {
		if reaching[name] == nil {
			t.Errorf("nobody reaches %s here", name)
		}
	}
	for name, reach := range reaching {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said, counted := &settings{}, prometheus.NewRegistry()
				s, owner, public := onPipes(t, func(c *api.ServerConfig) {
					c.Log, c.Metrics = slog.New(said), counted
					if name == "api.posts_per_hour" {
						c.Creates = 2
					}
				})
				b := &brim{served: s, t: t, owner: owner, public: public}
				got := reach(b)
				var p api.Problem
				if got.status != 0 && (json.Unmarshal([]byte(got.body), &p) != nil || p.Limit != name && name != "requests.answer_s") {
					t.Errorf("the caller is told %d %q, want %s named", got.status, got.body, name)
				}
				if got.status == http.StatusOK {
					t.Error("it was not reached")
				}
				synctest.Wait()
				if n := reached(t, counted, name); n != 1 {
					t.Errorf("it is counted %v times, want 1", n)
				}
				for _, c := range b.conns {
					c.Close()
				}
				s.stop()
				if lines := said.all(); !slices.Equal(lines, []string{name}) {
					t.Errorf("the log names %q, want %s once", lines, name)
				}
			})
		})
	}
}

// reached is how often a limit was, by the metrics.
func reached(t *testing.T, r *prometheus.Registry, name string) (n float64) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "starling_http_limits_reached_total" && m.GetLabel()[0].GetValue() == name {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// settings is a log that keeps which limits its lines name.
type settings struct {
	mu   sync.Mutex // protects seen
	seen []string
}

func (s *settings) Enabled(context.Context, slog.Level) bool { return true }
func (s *settings) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s *settings) WithGroup(string) slog.Handler            { return s }

func (s *settings) Handle(_ context.Context, r slog.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == api.SettingKey {
			s.seen = append(s.seen, a.Value.String())
		}
		return true
	})
	return nil
}

func (s *settings) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

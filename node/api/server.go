package api

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Publisher publishes as the node's person.
type Publisher interface {
	Publish(ctx context.Context, d node.Draft) (node.Receipt, error)
	PublishOnce(ctx context.Context, key string, d node.Draft) (r node.Receipt, repeated bool, err error)
}

// Writer publishes, and changes what was published.
type Writer interface {
	Publisher
	Edit(ctx context.Context, post records.Ref, text string) (node.Receipt, error)
	Delete(ctx context.Context, post records.Ref) (node.Receipt, error)
}

// Reader reads what anybody published.
type Reader interface {
	Post(ctx context.Context, post records.Ref) (*records.Record, error)
	Timeline(ctx context.Context, s node.Source, r node.Range) iter.Seq2[*records.Record, error]
	Watch(ctx context.Context, sources []node.Source, limit int) iter.Seq2[node.Event, error]
}

// Inspector tells how the node is.
type Inspector interface {
	User() records.User
	Status() node.Status
	Peers() []node.Peer
}

// Owner does what only the node's owner may.
type Owner interface {
	Writer
	Follower
	Public
}

// Timelines are those of others and what the owner made of them.
type Timelines interface {
	Reader
	Home
	Guide
}

// Node is what the server needs of a node.
type Node interface {
	Owner
	Timelines
	Inspected
}

// Limits of the server. Its callers are programs of one person on one machine: the
// limits are there for the one that is broken, and for web pages that try.
const (
	maxHeader   = 16 << 10 // bytes of request line and header
	maxBody     = 64 << 10 // bytes: 4 KiB of text, each byte perhaps a \u escape, and names with ample room
	maxDepth    = 8        // of a request's JSON; ours has two levels
	maxRequests = 256      // answered at once, watches aside; more wait in the callers
	maxWatches  = 1024     // open at once: each is a goroutine and some subscriptions of the node

	maxSources = 64 // of one watch

	maxPublicRequests = 64   // of strangers, answered at once
	maxPublicWatches  = 2048 // of strangers, open at once: each is a goroutine and a connection

	maxArchives = 4 // made or read at once: each keeps a core and the disk busy

	headerTime = 8 * time.Second  // from the first byte to the end of the header
	bodyTime   = 25 * time.Second // from the first byte to the end of the body
	answerTime = 60 * time.Second // for the node to do what was asked; the network's own limits are shorter
	writeTime  = 20 * time.Second // for a caller to take an answer, or one event
	idleTime   = 60 * time.Second // for the next request on a connection
	heartbeat  = 15 * time.Second // between signs of life to a watcher: proxies give up after 30 to 60
	drainTime  = 3 * time.Second  // for answers under way when the server ends
)

// ServerConfig is all that a server needs.
type ServerConfig struct {
	Listener net.Listener // the owner's, see [Listen]; Run closes it
	Hosts    []string     // what it is called besides its address, see [CheckHost]
	Token    string       // what the owner's programs show, see [NewToken] and [TokenFile]
	Node     Node
	Store    Archivist // what the node keeps
	Log      *slog.Logger

	// What follows may be left out.
	Public  PublicConfig          // where strangers read
	Admin   AdminConfig           // where those look who keep nodes running
	Page    http.Handler          // for what no route answers, to anybody; sets a Content-Security-Policy of its own
	Metrics prometheus.Registerer // where requests are counted, until Run returns; a registry serves one server
	Creates int                   // posts that may be published in an hour, see [Creates]; 0 for no bound
}

// Server serves a node's owner and, if they are let in, those who read.
type Server struct {
	ServerConfig

	sessions *sessions
	hub      *hub
	budget   *rate.Limiter // what changes are paid from; nil for no bound
	owner    room
	public   room
	archives slots // made or read
	metrics  *metrics
	running  sync.WaitGroup
}

// room is what may be done at once. Strangers have their own, so that they leave the
// owner's alone.
type room struct {
	requests slots // being answered
	watches  slots
}

// NewServer makes a server; it answers once Run is called.
func NewServer(c ServerConfig) *Server {
	return &Server{
		ServerConfig: c,
		sessions:     newSessions(),
		hub:          newHub(),
		budget:       newBudget(c.Creates),
		owner:        room{newSlots(maxRequests, limitAtOnce), newSlots(maxWatches, limitWatches)},
		public:       room{newSlots(maxPublicRequests, limitAtOncePublic), newSlots(maxPublicWatches, limitWatchesPublic)},
		archives:     newSlots(maxArchives, limitArchives),
	}
}

func (s *Server) roomFor(ctx context.Context) room {
	if callerOf(ctx).public {
		return s.public
	}
	return s.owner
}

// Run serves until ctx ends. Then watches end at once, and other answers under way
// have drainTime to be given. When one listener fails, the others end too.
func (s *Server) Run(ctx context.Context) error {
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	routes := s.routes(stopping)
	s.metrics = newMetrics(s.Metrics, routes)
	if err := s.metrics.register(); err != nil {
		return errors.Join(err, s.hangUp())
	}
	defer s.metrics.withdraw()
	var all errgroup.Group
	for _, e := range s.entrances(routes) {
		all.Go(func() error {
			defer stop()
			return s.serve(stopping, base, e, cut)
		})
	}
	err := all.Wait()
	s.running.Wait()
	return err
}

// hangUp closes listeners at which nobody answers.
func (s *Server) hangUp() (err error) {
	for _, l := range []net.Listener{s.Listener, s.Public.Listener, s.Admin.Listener} {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}

// serve answers at one entrance, with base as what requests begin with. Those that do
// not end in time are cut.
func (s *Server) serve(ctx, base context.Context, e entrance, cut func()) error {
	srv := &http.Server{
		Handler:           s.guard(e.gate, e.handler),
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: headerTime, ReadTimeout: bodyTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	full := func() { s.note(slog.LevelWarn, limitConns, "too many connections, or too many from one address") }
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(bounded{e.listener, newTally(maxConnsFrom, maxConns), full}) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve at %s: %w", e.listener.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(base, drainTime)
	defer cancel()
	if srv.Shutdown(drain) != nil {
		s.Log.Warn("api requests cut off at the end", "after", drainTime)
		cut()
		_ = srv.Close() // what it closes is given up
	}
	<-ended
	return nil
}

// routes is everything that the server answers to. What is long ends with stopping.
func (s *Server) routes(stopping context.Context) *router {
	t := newRouter()
	newOperations(s, t).described(stopping)
	return t
}

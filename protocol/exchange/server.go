package exchange

import (
	"context"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2p "github.com/libp2p/go-libp2p/core/protocol"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// Listener takes streams that others open. A libp2p host is one.
type Listener interface {
	SetStreamHandler(id libp2p.ID, handler network.StreamHandler)
	RemoveStreamHandler(id libp2p.ID)
}

// Store is where the server's records are. Merge returns when the puts are on
// disk, with an outcome for each; one without a status was not stored, and the
// error says why. Bucket may fail once over damage that it then puts aside.
type Store interface {
	Merge(ctx context.Context, puts []records.Put) ([]records.Outcome, error)
	Bucket(q records.Query) (records.Bucket, error)
}

// Region is the part of the ring whose places the server holds.
type Region interface {
	Prefix() int                     // how many leading bits of a coordinate it fixes
	Narrowed() int                   // of these, those that its neighbourhood does not fix, for want of room here
	Holds(c records.Coordinate) bool // whether c lies in it
}

// ServerConfig is what a server needs.
type ServerConfig struct {
	Host   Listener
	Door   *records.Door // of the network to serve
	Store  Store
	Region Region
	Status func() Status // version, records and bytes; the rest is filled in

	Holdings  Holdings // what nodes are reconciled with; nil for none
	SpareRate int      // bytes a second, of all peers together, for those that have had all that there is; protocol.ReconcileSpare if 0

	Asked    func(peer.ID)      // told of who put or fetched something, and now and then of who follows; nil: nobody is. It must not block
	Offended func(peer.ID)      // told of who sent what no honest node sends; nil: nobody is
	Offences *protocol.Offences // where that is counted; nil: here alone

	HotReaders int              // protocol.HotReaders if 0
	Now        func() time.Time // the present by which records are let in; time.Now if nil
	Log        *slog.Logger     // discarded if nil
}

// Server answers peers' requests out of a store.
type Server struct {
	cfg   ServerConfig
	id    libp2p.ID
	gate  *gate
	crew  *crew // handles requests
	board *board
	heat  *heat
	runs  *runs

	counts counts
}

// NewServer makes a server, which answers nobody until Run.
func NewServer(cfg ServerConfig) *Server {
	if cfg.HotReaders == 0 {
		cfg.HotReaders = protocol.HotReaders
	}
	if cfg.SpareRate == 0 {
		cfg.SpareRate = protocol.ReconcileSpare
	}
	if cfg.Asked == nil {
		cfg.Asked = func(peer.ID) {}
	}
	if cfg.Offended == nil {
		cfg.Offended = func(peer.ID) {}
	}
	if cfg.Offences == nil {
		cfg.Offences = protocol.NewOffences()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{
		cfg: cfg, id: protocol.ExchangeID(cfg.Door.Network()), gate: newGate(cfg.Offences),
		crew: newCrew(), board: newBoard(), heat: newHeat(cfg.HotReaders), runs: newRuns(),
	}
}

// Run serves until ctx ends. When it returns, every stream has been reset and
// nothing touches the store. A server runs once.
func (s *Server) Run(ctx context.Context) error {
	s.cfg.Host.SetStreamHandler(s.id, func(stream network.Stream) {
		go s.serve(ctx, stream) // not on a stack that has grown while the protocol was negotiated
	})
	<-ctx.Done()
	s.cfg.Host.RemoveStreamHandler(s.id)
	s.gate.close()
	s.crew.end()
	return nil
}

// serve answers one stream until it ends.
func (s *Server) serve(ctx context.Context, stream network.Stream) {
	p := stream.Conn().RemotePeer()
	v, err := s.gate.enter(p)
	if err != nil {
		s.counts.turned.Add(1)
		_ = stream.ResetWithError(network.StreamResourceLimitExceeded)
		s.cfg.Log.Debug("refuse stream", "peer_id", p, "err", err)
		return
	}
	defer s.gate.leave(p)

	ctx, cancel := context.WithCancelCause(ctx)
	hungUp := make(chan struct{})
	clean := context.AfterFunc(ctx, func() {
		_ = stream.Reset()
		close(hungUp)
	})
	newSession(s, stream, v, cancel).run(ctx)
	if clean() {
		_ = stream.Close()
		return
	}
	<-hungUp
	s.cfg.Log.Debug("reset stream", "peer_id", p, "err", context.Cause(ctx))
}

// member tells whether c is taken for ours.
func (s *Server) member(c records.Coordinate) bool { return Member(s.cfg.Region, c) }

// Member tells whether a server of region r takes c for its own to hold: it is, or
// would be if its prefix were a bit shorter. Estimates of the network's size differ
// between neighbours, and a writer goes by that of others. Where there is no room for
// the whole region, there is none for that bit either.
func Member(r Region, c records.Coordinate) bool {
	bits := r.Prefix()
	switch {
	case bits <= 0 || r.Holds(c):
		return true
	case r.Narrowed() > 0:
		return false
	}
	last := bits - 1
	c[last/8] ^= 0x80 >> (last % 8)
	return r.Holds(c)
}

package testnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"time"

	"github.com/starling-social/starling/records"
)

// Config says how large a network, and what it carries.
type Config struct {
	Nodes         int    // complete nodes, 2 at least
	Neighbourhood int    // least number of nodes that hold a place
	Replay        string // file of posts, gzipped or not; empty for the stream of Demo
	Limit         int    // posts; 0 for all of the file, or DemoPosts
	Dir           string // where the nodes keep their data while it runs; empty for the system's temporary directory

	Log      *slog.Logger
	Progress Progress // nil for none
}

// Defaults, of a network that starts in seconds and still spreads its posts.
const (
	DefaultNodes         = 8
	DefaultNeighbourhood = 4
	DemoPosts            = 500

	// MaxNodes is what one process carries: 200 nodes take 4 GiB and all the file
	// descriptors that most systems give.
	MaxNodes = 200
)

// ErrConfig is the reason of every refusal by Validate.
var ErrConfig = errors.New("configuration")

// Validate tells what is wrong with c.
func (c Config) Validate() error {
	switch {
	case c.Nodes < 2 || c.Nodes > MaxNodes:
		return fmt.Errorf("%w: %d nodes: want 2 to %d", ErrConfig, c.Nodes, MaxNodes)
	case c.Neighbourhood < 1 || c.Neighbourhood > math.MaxUint8:
		return fmt.Errorf("%w: neighbourhoods of %d: want 1 to %d", ErrConfig, c.Neighbourhood, math.MaxUint8)
	case c.Limit < 0:
		return fmt.Errorf("%w: limit of %d posts", ErrConfig, c.Limit)
	}
	return nil
}

// Progress is told how far the work is. It is called from many goroutines.
type Progress interface {
	Phase(name string, total int) // ends the phase before
	Advance(n int)
}

// Result is what a run found. A pair is a post and a timeline that it belongs to.
type Result struct {
	Nodes         int     `json:"nodes"`
	Posts         int     `json:"posts"`
	Published     int     `json:"published"`      // posts that a majority of the members of each of their places acknowledged
	ReadBack      int     `json:"read_back"`      // pairs found
	Missing       int     `json:"missing"`        // pairs not found
	LiveExpected  int     `json:"live_expected"`  // pairs of watched timelines
	LiveDelivered int     `json:"live_delivered"` // of these, pairs that arrived live
	PostsPerS     float64 `json:"posts_per_s"`    // publishing alone
	PublishP50    float64 `json:"publish_p50_ms"`
	PublishP99    float64 `json:"publish_p99_ms"`
	TimelineP50   float64 `json:"timeline_p50_ms"` // for a page of 50
	TimelineP99   float64 `json:"timeline_p99_ms"`
	LiveP50       float64 `json:"live_p50_ms"` // from when a post was given to its node
	LiveP99       float64 `json:"live_p99_ms"`
	RSS           float64 `json:"rss_mb"` // of the whole process, at its largest
}

// Complete tells whether everything was published, read back and delivered.
func (r Result) Complete() bool {
	return r.Published == r.Posts && r.Missing == 0 && r.LiveDelivered == r.LiveExpected
}

// Run builds the network, sends the stream through it, checks everything and takes
// it down. When something is missing it says so in the result, not as an error.
func Run(ctx context.Context, c Config) (Result, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Progress == nil {
		c.Progress = silent{}
	}
	if err := c.Validate(); err != nil {
		return Result{}, err
	}
	lines, err := c.lines()
	if err != nil {
		return Result{}, err
	}
	network, err := records.NewNetwork(name, params(c.Neighbourhood))
	if err != nil {
		return Result{}, err
	}
	net, ctx, err := startCluster(ctx, c, network)
	if err != nil {
		return Result{}, err
	}
	result, err := carry(ctx, c, net, newPlan(network, lines, c.Nodes))
	return result, errors.Join(err, net.stop())
}

const name = "testnet"

// params are those of every test network but for the size of neighbourhoods.
func params(neighbourhood int) records.Params {
	n, err := records.TestNetwork(name)
	if err != nil {
		panic(err) // name is one
	}
	p := n.Params
	p.Neighbourhood = neighbourhood
	return p
}

func (c Config) lines() ([]Line, error) {
	if c.Replay == "" {
		limit := c.Limit
		if limit == 0 {
			limit = DemoPosts
		}
		return Demo(limit, time.Now()), nil
	}
	f, err := os.Open(c.Replay)
	if err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	lines, err := ReadStream(f, c.Limit)
	if err != nil {
		return nil, fmt.Errorf("replay %s: %w", c.Replay, err)
	}
	return lines, nil
}

// carry publishes while watchers listen, then reads everything back.
func carry(ctx context.Context, c Config, net *cluster, p *plan) (Result, error) {
	audience, err := listen(ctx, c, net, p)
	if err != nil {
		return Result{}, err
	}
	result := Result{Nodes: c.Nodes, Posts: len(p.lines), LiveExpected: p.expected}
	began := time.Now()
	published, err := publish(ctx, c, net, p, audience)
	if err != nil {
		return Result{}, errors.Join(err, audience.leave())
	}
	result.Published = published.count
	result.PostsPerS = round(float64(published.count) / time.Since(began).Seconds())
	result.PublishP50, result.PublishP99 = published.times.quantiles()

	if err := errors.Join(audience.await(ctx, c), audience.leave()); err != nil {
		return Result{}, err
	}
	result.LiveDelivered = audience.delivered()
	result.LiveP50, result.LiveP99 = audience.times.quantiles()

	back, err := readBack(ctx, c, net, p)
	if err != nil {
		return Result{}, err
	}
	result.ReadBack, result.Missing = back.found, back.missing
	result.TimelineP50, result.TimelineP99 = back.times.quantiles()
	result.RSS = round(float64(peakRSS()) / (1 << 20))
	return result, nil
}

// silent is progress that nobody looks at.
type silent struct{}

func (silent) Phase(string, int) {}
func (silent) Advance(int)       {}

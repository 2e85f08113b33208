package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Arrival is what a watcher hears: a post, or what it missed.
type Arrival struct {
	Post *Post
	Gap  *Gap
}

// Watch hears the newest posts of some timelines, then what arrives, until limit
// posts (0 for no limit) have come, ctx ends, or the node does. A connection that is
// lost is made again and goes on where it was; what may be missing is told as a [Gap].
func (c *Client) Watch(ctx context.Context, sources []string, limit int) iter.Seq2[Arrival, error] {
	return c.arrivals(ctx, "/v1/watch", url.Values{"source": sources}, limit)
}

const (
	maxEvent = 1 << 20 // bytes: a post of 8 KiB, each byte perhaps a \u escape, many times over

	// A connection that breaks is made again, and goes on where it was, also at a node
	// that was started anew meanwhile.
	rejoinTime = 10 * time.Second // until it is given up
	rejoinWait = 250 * time.Millisecond
	rejoinSeen = 256 // posts by which what is told again is known
)

// arrivals hears the events of a watch, over as many connections as it takes.
func (c *Client) arrivals(ctx context.Context, path string, q url.Values, limit int) iter.Seq2[Arrival, error] {
	return func(yield func(Arrival, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		seen, err := lru.New[version, struct{}](rejoinSeen)
		if err != nil {
			yield(Arrival{}, err)
			return
		}
		if limit > 0 {
			q.Set("limit", strconv.Itoa(limit))
		}
		h := &hearing{client: *c, path: path, query: q, left: limit, yield: yield, seen: seen}
		err = h.hear(ctx)
		for lost := time.Now(); !h.over && h.heard; lost = h.since(lost) {
			if time.Since(lost) > rejoinTime {
				break
			}
			if !pause(ctx, rejoinWait) {
				err = c.unreachable(ctx, err)
				break
			}
			err = h.again(ctx)
		}
		if !h.over {
			yield(Arrival{}, err)
		}
	}
}

// version is one of a post.
type version struct {
	id  string
	rev uint64
}

// hearing is a watch of a client.
type hearing struct {
	client Client
	path   string
	query  url.Values
	left   int // posts; 0 for no limit
	yield  func(Arrival, error) bool
	seen   *lru.Cache[version, struct{}]

	last  string // id of the last event
	heard bool   // something, ever
	fresh bool   // something, on this connection
	over  bool   // nothing more is wanted, or comes
}

// again goes on after a connection was lost, with the node as it runs now.
func (h *hearing) again(ctx context.Context) error {
	e, err := ReadEndpoint(h.client.dir)
	if err != nil {
		return err
	}
	h.client.endpoint, h.fresh = e, false
	h.query.Del("limit") // it may tell again what was heard: whoever counts must see that
	return h.hear(ctx)
}

// since is when the connection was lost that was heard on last.
func (h *hearing) since(lost time.Time) time.Time {
	if h.fresh {
		return time.Now()
	}
	return lost
}

// hear hears one connection to its end, and says what that was.
func (h *hearing) hear(ctx context.Context) error {
	c := &h.client
	resp, err := c.sendBody(ctx, http.MethodGet, h.path+"?"+h.query.Encode(), "", nil, "Last-Event-ID", h.last)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // nothing more is wanted
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	for f := range serverSent(lines) {
		if !h.take(f) {
			h.over = true
			return nil
		}
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return c.unreachable(ctx, err)
}

// take yields what a frame says; false when that was the last.
func (h *hearing) take(f frame) bool {
	h.heard, h.fresh = true, true
	if f.id != "" {
		h.last = f.id
	}
	if f.name == "" {
		return true
	}
	a, more, err := arrival(f.name, f.data)
	if a.Post != nil {
		if known, _ := h.seen.ContainsOrAdd(version{a.Post.ID, a.Post.Rev}, struct{}{}); known {
			return more
		}
	}
	if (err != nil || a != (Arrival{})) && !h.yield(a, err) {
		return false
	}
	if a.Post != nil && h.left > 0 {
		if h.left--; h.left == 0 {
			return false
		}
	}
	return more && err == nil
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// frame is one server-sent event as it is on the wire. Ours have one line of data.
type frame struct{ id, name, data string }

// serverSent reads server-sent events, and those that are nothing but an id.
func serverSent(lines *bufio.Scanner) iter.Seq[frame] {
	return func(yield func(frame) bool) {
		var f frame
		for lines.Scan() {
			line := lines.Text()
			switch {
			case line == "":
				if f != (frame{}) && !yield(f) {
					return
				}
				f = frame{}
			case strings.HasPrefix(line, "id: "):
				f.id = line[len("id: "):]
			case strings.HasPrefix(line, "event: "):
				f.name = line[len("event: "):]
			case strings.HasPrefix(line, "data: "):
				f.data = line[len("data: "):]
			}
		}
	}
}

// arrival reads an event; more tells whether others follow.
func arrival(name, data string) (a Arrival, more bool, err error) {
	switch name {
	case eventPost:
		err = json.Unmarshal([]byte(data), &a.Post)
	case eventGap:
		err = json.Unmarshal([]byte(data), &a.Gap)
	case eventEnd:
		return Arrival{}, false, nil
	case eventError:
		p := &Problem{}
		if err = json.Unmarshal([]byte(data), p); err == nil {
			return Arrival{}, false, p
		}
	}
	if err != nil {
		return Arrival{}, false, fmt.Errorf("event %q of the node: %w", name, err)
	}
	return a, true, nil // an event that we do not know is of a newer node
}

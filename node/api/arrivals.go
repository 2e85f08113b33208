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
)

// Arrival is what a watcher hears: a post, or what it missed.
type Arrival struct {
	Post *Post
	Gap  *Gap
}

// Watch hears the newest posts of some timelines, then what arrives, until limit
// posts (0 for no limit) have come, ctx ends, or the node does.
func (c *Client) Watch(ctx context.Context, sources []string, limit int) iter.Seq2[Arrival, error] {
	q := url.Values{"source": sources}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return c.arrivals(ctx, "/v1/watch?"+q.Encode())
}

// arrivals hears the events of a watch.
func (c *Client) arrivals(ctx context.Context, path string) iter.Seq2[Arrival, error] {
	return func(yield func(Arrival, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		resp, err := c.send(ctx, http.MethodGet, path)
		if err != nil {
			yield(Arrival{}, err)
			return
		}
		defer func() { _ = resp.Body.Close() }() // nothing more is wanted
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, maxEvent)
		for name, data := range serverSent(lines) {
			a, more, err := arrival(name, data)
			if err != nil || a != (Arrival{}) {
				if !yield(a, err) {
					return
				}
			}
			if !more {
				return
			}
		}
		err = lines.Err()
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		yield(Arrival{}, c.unreachable(ctx, err))
	}
}

const maxEvent = 1 << 20 // bytes: a post of 8 KiB, each byte perhaps a \u escape, many times over

// serverSent reads name and data of server-sent events. Ours have one line of data.
func serverSent(lines *bufio.Scanner) iter.Seq2[string, string] {
	return func(yield func(name, data string) bool) {
		var name, data string
		for lines.Scan() {
			line := lines.Text()
			switch {
			case line == "":
				if name != "" && !yield(name, data) {
					return
				}
				name, data = "", ""
			case strings.HasPrefix(line, "event: "):
				name = line[len("event: "):]
			case strings.HasPrefix(line, "data: "):
				data = line[len("data: "):]
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

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/starling-social/starling/node/api"
)

// crowd is those who watch, each on a connection of its own.
type crowd struct {
	watchers int
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu    sync.Mutex // protects all below
	began time.Time  // posts from before were there, and are not counted
	heard hearing
	err   error // of the first who was cut off
	left  bool
}

// hearing is what all heard together.
type hearing struct {
	posts  int
	missed int     // told of by gaps
	took   timings // from the request to publish, to the watcher
}

// audience is so many who watch, once all of them are heard.
func audience(ctx context.Context, n *process, watchers int) (*crowd, error) {
	ctx, cancel := context.WithCancel(ctx)
	a := &crowd{watchers: watchers, stop: cancel, began: time.Now()}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	const atOnce = 32 // who connect
	connecting, connected := make(chan struct{}, atOnce), make(chan error, watchers)
	for range watchers {
		a.running.Go(func() {
			connecting <- struct{}{}
			lines, body, err := n.watch(ctx, client)
			<-connecting
			connected <- err
			if err != nil {
				return
			}
			defer func() { _ = body.Close() }() // it ends by cancelling
			a.hear(lines)
		})
	}
	for range watchers {
		if err := <-connected; err != nil {
			a.leave()
			return nil, err
		}
	}
	return a, nil
}

// watch begins to watch, and has heard that it is heard.
func (p *process) watch(ctx context.Context, client *http.Client) (*bufio.Scanner, io.Closer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.api+"/v1/watch?source=%23load", http.NoBody)
	if err != nil {
		return nil, nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("watch: %w", err)
	}
	lines := bufio.NewScanner(resp.Body)
	if resp.StatusCode != http.StatusOK || !lines.Scan() {
		return nil, nil, errors.Join(fmt.Errorf("watch: status %d", resp.StatusCode), lines.Err(), resp.Body.Close())
	}
	return lines, resp.Body, nil
}

// hear takes in what one of them hears, until it is cut off.
func (a *crowd) hear(lines *bufio.Scanner) {
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		now := time.Now()
		var e struct {
			api.Gap

			Text string `json:"text"`
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			continue // an error or end, which the next Scan tells
		}
		at := published(e.Text)
		a.mu.Lock()
		a.heard.missed += e.Missed
		if at.After(a.began) {
			a.heard.posts++
			a.heard.took = append(a.heard.took, now.Sub(at))
		}
		a.mu.Unlock()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.left && a.err == nil {
		a.err = errors.Join(errors.New("a watcher was cut off"), lines.Err())
	}
}

// published is when a post was, as its text says.
func published(text string) time.Time {
	words := strings.Fields(text)
	if len(words) < 2 {
		return time.Time{}
	}
	at, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(0, at)
}

// listen publishes posts, 20 a second at most, and waits until all have heard, or have
// been told that they did not.
func (a *crowd) listen(ctx context.Context, n *process, posts int) (hearing, error) {
	a.mu.Lock()
	a.began, a.heard = time.Now(), hearing{}
	a.mu.Unlock()
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	for range posts {
		if err := n.publish(ctx); err != nil {
			return hearing{}, fmt.Errorf("publish: %w", err)
		}
		<-pace.C
	}
	const patience = 100 // tenths of a second without anything new
	for quiet, last := 0, -1; quiet < patience; quiet++ {
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return hearing{}, err
		}
		a.mu.Lock()
		now, err := a.heard, a.err
		a.mu.Unlock()
		switch {
		case err != nil:
			return now, err
		case now.posts+now.missed >= a.watchers*posts:
			return now, nil
		case now.posts+now.missed > last:
			quiet, last = 0, now.posts+now.missed
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.heard, nil
}

// leave ends all watches.
func (a *crowd) leave() {
	a.mu.Lock()
	a.left = true
	a.mu.Unlock()
	a.stop()
	a.running.Wait()
}

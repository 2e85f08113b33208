// Command load puts one node's HTTP under load: reading, publishing, a thousand who watch.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/starling-social/starling/scripts/internal/campaign"
)

func main() { campaign.Main("load", run) }

// The bars that are not ratios of two things measured in this run.
const (
	moreGoroutines = 24 // that a node may have after everybody left: the last connections, and what lingers
	moreMemory     = 64 // MiB
)

// run starts a node as its owner does, in a process of its own, and asks it over
// loopback. Machine and generator are shared with the node: absolute figures say little,
// what was lost and what is left behind say all.
func run(ctx context.Context, c *campaign.Campaign) (err error) {
	dir, err := os.MkdirTemp("", "starling-load-")
	if err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	n, err := start(ctx, filepath.Join(dir, "data"), filepath.Join(dir, "starling"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.stop()) }()
	if err := ask(ctx, c, n); err != nil {
		return err
	}
	return watch(ctx, c, n)
}

// ask measures what is answered at once.
func ask(ctx context.Context, c *campaign.Campaign, n *process) error {
	c.Table("asked for", "at once", "answered", "a second", "p50", "p99")
	lasts := time.Duration(c.Size(10, 2)) * time.Second
	row := func(name string, callers int, did timings, took time.Duration) {
		c.Row(name, callers, len(did), float64(len(did))/took.Seconds(), did.at(0.5), did.at(0.99))
		c.Figure(name+"_per_s", float64(len(did))/took.Seconds())
		c.Figure(name+"_p50_ms", did.at(0.5).Seconds()*1000)
		c.Figure(name+"_p99_ms", did.at(0.99).Seconds()*1000)
	}
	did, took, err := n.repeat(ctx, 8, c.Size(500, 60), n.publish)
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	row("publish", 8, did, took)
	perSecond := map[string]float64{}
	for _, get := range []struct{ name, path string }{{"healthz", "/healthz"}, {"timeline", "/v1/timeline?limit=50&source=%23load"}} {
		did, took, err := n.during(ctx, 16, lasts, get.path)
		if err != nil {
			return fmt.Errorf("%s: %w", get.name, err)
		}
		row(get.name, 16, did, took)
		perSecond[get.name] = float64(len(did)) / took.Seconds()
	}
	c.Figure("timeline_to_healthz", perSecond["timeline"]/perSecond["healthz"])
	return nil
}

// watch has many watch one hashtag while posts are published, and looks at what each
// of them heard, and at what is left of it in the node when they have gone.
func watch(ctx context.Context, c *campaign.Campaign, n *process) error {
	before, err := n.settled(ctx, size{}, 5*time.Second)
	if err != nil {
		return err
	}
	c.Table("who watch", "posts", "heard", "told as missed", "lost", "p50", "p99", "RSS, MiB", "goroutines")
	c.Row("0", "", "", "", "", "", "", before.rss, before.goroutines)
	lost, few := 0, c.Size(1000, 200)
	var last [2]time.Duration
	for i, watchers := range []int{1, few} {
		a, err := audience(ctx, n, watchers)
		if err != nil {
			return err
		}
		posts := c.Size(200, 30)
		heard, err := a.listen(ctx, n, posts)
		during, sizeErr := n.size(ctx)
		a.leave()
		if err := errors.Join(err, sizeErr); err != nil {
			return err
		}
		lost += watchers*posts - heard.posts - heard.missed
		last[i] = heard.took.at(0.99)
		c.Row(watchers, posts, heard.posts, heard.missed, watchers*posts-heard.posts-heard.missed,
			heard.took.at(0.5), heard.took.at(0.99), during.rss, during.goroutines)
		c.Figure(fmt.Sprintf("live_%d_p50_ms", watchers), heard.took.at(0.5).Seconds()*1000)
		c.Figure(fmt.Sprintf("live_%d_p99_ms", watchers), heard.took.at(0.99).Seconds()*1000)
		c.Figure(fmt.Sprintf("rss_mib_%d", watchers), during.rss)
		c.Figure(fmt.Sprintf("missed_with_a_gap_%d", watchers), heard.missed)
	}
	after, err := n.settled(ctx, size{before.rss + moreMemory/2, before.goroutines + moreGoroutines}, time.Duration(c.Size(240, 10))*time.Second)
	if err != nil {
		return err
	}
	c.Row("0", "", "", "", "", "", "", after.rss, after.goroutines)
	c.Figure("rss_mib_before", before.rss)
	c.Figure("rss_mib_after", after.rss)
	c.Figure("goroutines_before", before.goroutines)
	c.Figure("goroutines_after", after.goroutines)
	c.Figure("live_p99_many_to_one", last[1].Seconds()/last[0].Seconds())
	c.AtMost("lost_without_a_gap", float64(lost), 0)
	c.AtMost("rss_mib_left", after.rss-before.rss, moreMemory)
	c.AtMost("goroutines_left", float64(after.goroutines-before.goroutines), moreGoroutines)
	return nil
}

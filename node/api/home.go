package api

import (
	"context"
	"iter"
	"net/url"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Home reads all that the owner follows as one timeline.
type Home interface {
	Home(ctx context.Context, r node.Range) iter.Seq2[*records.Record, error]
	WatchHome(ctx context.Context, limit int) iter.Seq2[node.Event, error]
}

const (
	homePath      = "/v1/home"
	homeWatchPath = "/v1/home/watch"
)

// HomePage reads one page of all that the node follows; before may be empty.
func (c *Client) HomePage(ctx context.Context, limit int, before string) (out Page, err error) {
	return c.page(ctx, homePath, url.Values{}, limit, before)
}

// Home reads up to limit posts of all that the node follows, page after page. Its
// last pair may be the problem that posts are missing.
func (c *Client) Home(ctx context.Context, limit int, before string) iter.Seq2[Post, error] {
	return pages(limit, before, func(limit int, before string) (Page, error) { return c.HomePage(ctx, limit, before) })
}

// WatchHome hears the newest posts of all that the node follows, then what
// arrives, as [Client.Watch] does for some timelines.
func (c *Client) WatchHome(ctx context.Context, limit int) iter.Seq2[Arrival, error] {
	return c.arrivals(ctx, homeWatchPath, url.Values{}, limit)
}

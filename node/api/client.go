package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/starling-social/starling/node"
)

// Client asks a running node.
type Client struct {
	dir      string
	endpoint Endpoint
	http     *http.Client
}

const (
	dialTime  = 2 * time.Second        // on loopback somebody answers at once or not at all
	askTime   = answerTime + writeTime // for one request
	maxAnswer = node.MaxTimeline * 1e5 // bytes: a post of 8 KiB, each byte perhaps a \u escape, and its ids
	pagePosts = 200                    // posts that Timeline asks for at a time, so that the first are there soon
)

// Dial finds the node that runs on a data directory. It does not connect yet.
func Dial(dir string) (*Client, error) {
	e, err := ReadEndpoint(dir)
	if err != nil {
		return nil, err
	}
	return &Client{dir: dir, endpoint: e, http: &http.Client{
		// No proxy and no redirect: the token is for this address alone.
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: dialTime}).DialContext,
			ResponseHeaderTimeout: askTime,
			DisableCompression:    true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Publish publishes a post. When too few members acknowledged, the error is a
// [*Problem] with the receipt.
func (c *Client) Publish(ctx context.Context, d Draft) (out Receipt, err error) {
	err = c.ask(ctx, http.MethodPost, "/v1/posts", d, &out)
	return out, err
}

// Edit replaces the text of a post.
func (c *Client) Edit(ctx context.Context, post, text string) (out Receipt, err error) {
	err = c.ask(ctx, http.MethodPut, "/v1/posts/"+url.PathEscape(post), Edit{Text: text}, &out)
	return out, err
}

// Delete deletes a post.
func (c *Client) Delete(ctx context.Context, post string) (out Receipt, err error) {
	err = c.ask(ctx, http.MethodDelete, "/v1/posts/"+url.PathEscape(post), nil, &out)
	return out, err
}

// Post reads one post.
func (c *Client) Post(ctx context.Context, post string) (out Post, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/posts/"+url.PathEscape(post), nil, &out)
	return out, err
}

// Status asks how the node is.
func (c *Client) Status(ctx context.Context) (out Status, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/status", nil, &out)
	return out, err
}

// Peers asks whom the node is connected to.
func (c *Client) Peers(ctx context.Context) (out Peers, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/peers", nil, &out)
	return out, err
}

// Page reads one page of a timeline; before may be empty.
func (c *Client) Page(ctx context.Context, source string, limit int, before string) (Page, error) {
	return c.page(ctx, "/v1/timeline", url.Values{"source": {source}}, limit, before)
}

func (c *Client) page(ctx context.Context, path string, q url.Values, limit int, before string) (out Page, err error) {
	q.Set("limit", strconv.Itoa(limit))
	if before != "" {
		q.Set("before", before)
	}
	err = c.ask(ctx, http.MethodGet, path+"?"+q.Encode(), nil, &out)
	return out, err
}

// Timeline reads up to limit posts, page after page. Its last pair may be the
// problem that posts are missing.
func (c *Client) Timeline(ctx context.Context, source string, limit int, before string) iter.Seq2[Post, error] {
	return pages(limit, before, func(limit int, before string) (Page, error) { return c.Page(ctx, source, limit, before) })
}

// pages yields up to limit posts of one page after another, and at the end the
// last problem that one of them had.
func pages(limit int, before string, read func(limit int, before string) (Page, error)) iter.Seq2[Post, error] {
	return func(yield func(Post, error) bool) {
		left, before := limit, before // a sequence may be gone through again
		var incomplete error
		for left > 0 {
			page, err := read(min(left, pagePosts), before)
			if err != nil {
				yield(Post{}, err)
				return
			}
			for _, p := range page.Posts {
				if !yield(p, nil) {
					return
				}
			}
			if page.Problem != nil {
				incomplete = page.Problem
			}
			left -= len(page.Posts)
			if page.Next == nil {
				break
			}
			before = *page.Next
		}
		if incomplete != nil {
			yield(Post{}, incomplete)
		}
	}
}

// ask sends one request with a JSON body, unless in is nil, and reads its answer into
// out, unless that is nil.
func (c *Client) ask(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if in == nil {
		return c.exchange(ctx, method, path, "", nil, out)
	}
	b, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	return c.exchange(ctx, method, path, "application/json", bytes.NewReader(b), out)
}

// exchange sends one request and reads its answer into out, unless that is nil.
func (c *Client) exchange(ctx context.Context, method, path, bodyType string, body io.Reader, out any) error {
	resp, err := c.sendBody(ctx, method, path, bodyType, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("answer of the node at %s: %w", c.endpoint.API, err)
	}
	return nil
}

// send asks for something without a body. It returns a good answer; every other is
// an error.
func (c *Client) send(ctx context.Context, method, path string) (*http.Response, error) {
	return c.sendBody(ctx, method, path, "", nil)
}

// sendBody sends a request, perhaps with a header more.
func (c *Client) sendBody(ctx context.Context, method, path, bodyType string, body io.Reader, header ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.endpoint.API+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.endpoint.Token)
	if body != nil {
		req.Header.Set("Content-Type", bodyType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode >= http.StatusOK && resp.StatusCode < http.StatusMultipleChoices {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }() // it is read
	return nil, c.refused(resp)
}

// unreachable tells a node that is gone from one that is slow.
func (c *Client) unreachable(ctx context.Context, err error) error {
	var dial *net.OpError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("ask node at %s: %w", c.endpoint.API, context.Cause(ctx))
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("%w on %s: nobody answers at %s, where the last one did; start one with 'starling run'", ErrNotRunning, c.dir, c.endpoint.API)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("%w any more on %s: it stopped before it answered", ErrNotRunning, c.dir)
	default:
		return fmt.Errorf("ask node at %s: %w", c.endpoint.API, err)
	}
}

// refused reads a problem. Whoever does not know our token, or does not speak of
// problems, is another program that took the port of a node that is gone.
func (c *Client) refused(resp *http.Response) error {
	var p Problem
	t, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && t == problemType {
		err = json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&p)
	}
	var other string
	switch {
	case err != nil || p.Code == "":
		other = "another program"
	case p.Code == CodeUnauthorized:
		other = "a node that does not know the token found there"
	default:
		return &p
	}
	return fmt.Errorf("%w on %s: %s answers at %s, where the last one did; start one with 'starling run'", ErrNotRunning, c.dir, other, c.endpoint.API)
}

package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/starling-social/starling/node"
)

// Patient tells how the node is.
type Patient interface {
	Health() node.Health
}

// Inspected tells of itself.
type Inspected interface {
	Inspector
	Patient
}

// Readiness is whether a node can do its work, and if not why. It comes with status
// 200 or 503.
type Readiness struct {
	Ready   bool      `json:"ready" doc:"Whether it can."`
	Reasons []Ailment `json:"reasons" doc:"Why not; empty if it can."`
	Version string    `json:"version" doc:"Of the software." example:"0.1.0"`
}

// Ailment is a reason why a node is not ready.
type Ailment struct {
	Code   string `json:"code" doc:"starting, draining, store_full, store_read_only or store_harmed." example:"starting"`
	Detail string `json:"detail" doc:"The same for people."`
}

// readiness is a Readiness with its status.
type readiness struct {
	Status int
	Body   Readiness
}

func (s *Server) ready(context.Context, *nothing) (*readiness, error) {
	h := s.Node.Health()
	out := &readiness{http.StatusOK, Readiness{Ready: h.Ready, Reasons: []Ailment{}, Version: node.Version}}
	for _, r := range h.Reasons {
		out.Body.Reasons = append(out.Body.Reasons, Ailment{string(r.Code), r.Sentence})
	}
	if !h.Ready {
		out.Status = http.StatusServiceUnavailable
	}
	return out, nil
}

// maxReadiness bounds the answer: a sentence for each reason there is.
const maxReadiness = 64 << 10

// Ready asks whether the node can do its work. That it cannot is no error.
func (c *Client) Ready(ctx context.Context) (out Readiness, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.endpoint.API+"/readyz", http.NoBody)
	if err != nil {
		return out, fmt.Errorf("make request: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return out, c.unreachable(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusServiceUnavailable {
		return out, c.refused(resp)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxReadiness))
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return out, fmt.Errorf("answer of the node at %s: %w", c.endpoint.API, err)
	}
	return out, nil
}

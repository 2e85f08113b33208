package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/starling-social/starling/records"
)

// Guide knows its way about hashtags.
type Guide interface {
	Tags(prefix string) ([]records.Tag, error)
}

// Tags are hashtags without their #, the likeliest first.
type Tags struct {
	Tags []string `json:"tags" doc:"Without #; those followed first, then those most used." example:"[\"sky\",\"skyline\"]"`
}

func (s *Server) tagOperations(a *operations) {
	add(a, operation{
		route: "GET /v1/tags", id: "completeTag", group: groupTimelines, ready: true,
		summary: "Hashtags that begin with something",
		text:    "For completion: those that the node follows, saw lately or keeps posts of. The network is not asked.",
	}, s.tags)
}

func (s *Server) tags(_ context.Context, in *struct {
	Prefix string `query:"prefix" maxLength:"64" doc:"With or without #, in any case; empty for the likeliest of all." example:"sk"`
},
) (*body[Tags], error) {
	found, err := s.Node.Tags(in.Prefix)
	if err != nil {
		return nil, err
	}
	out := Tags{Tags: []string{}}
	for _, t := range found {
		out.Tags = append(out.Tags, string(t))
	}
	return &body[Tags]{out}, nil
}

// Tags asks for hashtags that begin with a prefix.
func (c *Client) Tags(ctx context.Context, prefix string) (out Tags, err error) {
	err = c.ask(ctx, http.MethodGet, "/v1/tags?"+url.Values{"prefix": {prefix}}.Encode(), nil, &out)
	return out, err
}

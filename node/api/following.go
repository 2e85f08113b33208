package api

import (
	"context"
	"net/http"
	"net/url"

	"github.com/starling-social/starling/node"
)

// Follower keeps what the owner follows.
type Follower interface {
	Follow(ctx context.Context, s node.Source) error
	Unfollow(ctx context.Context, s node.Source) error
	Following() []node.Followed
}

const followingPath = "/v1/following"

// followable is the parameter of paths that name something to follow.
type followable struct {
	Source string `path:"source" doc:"#tag, a user, or @ and a user for what mentions them; # is written %23." example:"#starling"`
}

func (s *Server) followingOperations(a *operations) {
	add(a, operation{
		route: "GET /v1/following", id: "listFollowing", group: groupFollowing, ready: true,
		summary: "What is followed",
		text:    "The longest followed first. The list stands on the node and is told to nobody.",
	}, s.following)
	add(a, operation{
		route: "PUT /v1/following/{source}", id: "follow", group: groupFollowing,
		summary: "Follow a hashtag, a user, or what mentions a user",
		text:    "The node hears it from then on and keeps copies. Following twice changes nothing.",
		codes:   []Code{CodeThread, CodeManyFollowed, CodeNotFound},
	}, s.follow)
	add(a, operation{
		route: "DELETE /v1/following/{source}", id: "unfollow", group: groupFollowing,
		summary: "Unfollow",
		text:    "Copies that were kept for it alone are dropped. What is not followed is unfollowed already.",
	}, s.unfollow)
}

func (s *Server) following(context.Context, *nothing) (*body[Following], error) {
	out := Following{Following: []Followed{}}
	for _, f := range s.Node.Following() {
		out.Following = append(out.Following, followedOf(f))
	}
	return &body[Following]{out}, nil
}

// follow answers with the source as the list has it.
func (s *Server) follow(ctx context.Context, in *followable) (*body[Followed], error) {
	source, err := node.ParseSource(in.Source, s.Node.User())
	if err != nil {
		return nil, err
	}
	if err := s.Node.Follow(ctx, source); err != nil {
		return nil, err
	}
	for _, f := range s.Node.Following() {
		if f.Source == source {
			return &body[Followed]{followedOf(f)}, nil
		}
	}
	return nil, problem(CodeNotFound, "%s was unfollowed meanwhile", source)
}

func (s *Server) unfollow(ctx context.Context, in *followable) (*struct{}, error) {
	source, err := node.ParseSource(in.Source, s.Node.User())
	if err != nil {
		return nil, err
	}
	return &struct{}{}, s.Node.Unfollow(ctx, source)
}

// Follow has the node follow a hashtag, a user, or what mentions a user.
func (c *Client) Follow(ctx context.Context, source string) (out Followed, err error) {
	err = c.ask(ctx, http.MethodPut, followingPath+"/"+url.PathEscape(source), nil, &out)
	return out, err
}

// Unfollow ends that. What is not followed is unfollowed already.
func (c *Client) Unfollow(ctx context.Context, source string) error {
	return c.ask(ctx, http.MethodDelete, followingPath+"/"+url.PathEscape(source), nil, nil)
}

// Following asks what the node follows.
func (c *Client) Following(ctx context.Context) (out Following, err error) {
	err = c.ask(ctx, http.MethodGet, followingPath, nil, &out)
	return out, err
}

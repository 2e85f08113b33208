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

func (s *Server) following(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	out := Following{Following: []Followed{}}
	for _, f := range s.Node.Following() {
		out.Following = append(out.Following, followedOf(f))
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

// follow answers with the source as the list has it.
func (s *Server) follow(w http.ResponseWriter, r *http.Request) error {
	source, err := s.change(w, r, s.Node.Follow)
	if err != nil {
		return err
	}
	for _, f := range s.Node.Following() {
		if f.Source == source {
			writeJSON(w, http.StatusOK, followedOf(f))
			return nil
		}
	}
	return problem(CodeNotFound, "%s was unfollowed meanwhile", source)
}

func (s *Server) unfollow(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.change(w, r, s.Node.Unfollow); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// change has the node do something with the source that the path names.
func (s *Server) change(w http.ResponseWriter, r *http.Request, do func(context.Context, node.Source) error) (node.Source, error) {
	if _, err := query(r); err != nil {
		return node.Source{}, err
	}
	source, err := node.ParseSource(r.PathValue("source"), s.Node.User())
	if err != nil {
		return node.Source{}, err
	}
	ctx, done, err := s.begin(w, r)
	if err != nil {
		return node.Source{}, err
	}
	defer done()
	return source, do(ctx, source)
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

package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Names claims nicknames for the owner, and finds who claims one.
type Names interface {
	Claim(ctx context.Context, nickname records.Tag) (node.Receipt, error)
	Unclaim(ctx context.Context, nickname records.Tag) (node.Receipt, error)
	FindName(ctx context.Context, nickname records.Tag) ([]*records.Record, error)
}

const namesPath = "/v1/names"

// nickname is the parameter of paths that name one.
type nickname struct {
	Nickname string `path:"nickname" doc:"A nickname: letters, marks and digits of any script, in any case." example:"ada"`
}

func (s *Server) nameOperations(a *operations) {
	writing := []Code{CodeNotFound, CodeNoQuorum, CodeIncomplete}
	add(a, operation{
		route: "GET /v1/names/{nickname}", id: "findName", group: groupPeople,
		summary: "Who claims a nickname",
		text:    "As many as like may claim one, so each is shown with a part of the key: `ada#k7Qx2m`. The order says nothing about whose claim is better.",
		codes:   []Code{CodeIncomplete},
	}, s.findName)
	add(a, operation{
		route: "PUT /v1/names/{nickname}", id: "claimName", group: groupPeople,
		summary: "Claim a nickname for the owner",
		codes:   writing,
	}, s.claim)
	add(a, operation{
		route: "DELETE /v1/names/{nickname}", id: "unclaimName", group: groupPeople,
		summary: "Give a nickname up",
		codes:   writing,
	}, s.unclaim)
}

func (s *Server) findName(ctx context.Context, in *nickname) (*body[Claims], error) {
	name, err := records.NormalizeTag(in.Nickname)
	if err != nil {
		return nil, err
	}
	claims, err := s.Node.FindName(ctx, name)
	out := Claims{Claims: []Claim{}}
	for _, c := range claims {
		out.Claims = append(out.Claims, Claim{
			Shown: string(name) + "#" + c.Author().Fragment(), Name: string(name), User: c.Author().String(), Since: int64(c.Created()),
		})
	}
	var gap *node.GapError
	switch {
	case errors.Is(err, node.ErrManyClaims), errors.As(err, &gap):
		out.Problem = problemOf(err) // what was found is right
	case err != nil:
		return nil, err
	}
	return &body[Claims]{out}, nil
}

func (s *Server) claim(ctx context.Context, in *nickname) (*body[Receipt], error) {
	name, err := records.NormalizeTag(in.Nickname)
	if err != nil {
		return nil, err
	}
	return received(s.Node.Claim(ctx, name))
}

func (s *Server) unclaim(ctx context.Context, in *nickname) (*body[Receipt], error) {
	name, err := records.NormalizeTag(in.Nickname)
	if err != nil {
		return nil, err
	}
	return received(s.Node.Unclaim(ctx, name))
}

// ClaimName claims a nickname.
func (c *Client) ClaimName(ctx context.Context, nickname string) (out Receipt, err error) {
	err = c.ask(ctx, http.MethodPut, namesPath+"/"+url.PathEscape(nickname), nil, &out)
	return out, err
}

// UnclaimName gives a nickname up.
func (c *Client) UnclaimName(ctx context.Context, nickname string) (out Receipt, err error) {
	err = c.ask(ctx, http.MethodDelete, namesPath+"/"+url.PathEscape(nickname), nil, &out)
	return out, err
}

// FindName asks who claims a nickname.
func (c *Client) FindName(ctx context.Context, nickname string) (out Claims, err error) {
	err = c.ask(ctx, http.MethodGet, namesPath+"/"+url.PathEscape(nickname), nil, &out)
	return out, err
}

package api

import (
	"context"
	"errors"
	"iter"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// Paging is what the parameters of a page ask for.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"How many posts."`
	Before string `query:"before" minLength:"1" doc:"Where to go on: next of the page before, or the cursor of any post of the timeline."`
}

// span is what the node is asked for. The cursor of position zero, which has nothing
// before it, must not read as none.
func (p Paging) span() (node.Range, error) {
	out := node.Range{Limit: p.Limit}
	if p.Before == "" {
		return out, nil
	}
	at, err := records.ParseCursor(p.Before)
	if at == (records.Position{}) {
		at.Key[len(at.Key)-1] = 1
	}
	out.Before = at
	return out, err
}

func (s *Server) timelineOperations(a *operations) {
	add(a, operation{
		route: "GET /v1/timeline", id: "readTimeline", group: groupTimelines,
		summary: "A page of a timeline",
		text: "From any node, newest first; of a thread the first post stands last. Posts are in it until they are deleted. " +
			"A page that lacks posts because nobody answered for them says so in `problem`.",
		codes: []Code{CodeNotFound},
	}, s.timeline)
	add(a, operation{
		route: "GET /v1/home", id: "readHome", group: groupFollowing,
		summary: "A page of all that is followed",
		text:    "Merged by time, each post once, with one cursor. What is followed is kept on the node, so that reading it again asks nobody.",
	}, s.home)
}

func (s *Server) timeline(ctx context.Context, in *struct {
	Source string `query:"source" required:"true" doc:"#tag, a user, @ and a user, a post's id, or + and a post's id." example:"#starling"`
	Paging
},
) (*body[Page], error) {
	rng, err := in.span()
	if err != nil {
		return nil, err
	}
	source, err := node.ParseSource(in.Source, s.Node.User())
	if err != nil {
		return nil, err
	}
	_, notPost := records.ParseRef(in.Source)
	return pageOf(s.Node.Timeline(ctx, source, rng), notPost == nil, rng.Limit)
}

func (s *Server) home(ctx context.Context, in *Paging) (*body[Page], error) {
	rng, err := in.span()
	if err != nil {
		return nil, err
	}
	return pageOf(s.Node.Home(ctx, rng), false, rng.Limit)
}

// pageOf takes in a page. What was read before an error is given with it, and that
// nobody answered for a part of it is never an error of the page.
func pageOf(posts iter.Seq2[*records.Record, error], thread bool, limit int) (*body[Page], error) {
	page := Page{Posts: []Post{}}
	for r, err := range posts {
		var gap *node.GapError
		switch {
		case err != nil && len(page.Posts) == 0 && !errors.As(err, &gap):
			return nil, err
		case err != nil:
			page.Problem = problemOf(err)
		default:
			page.Posts = append(page.Posts, postIn(thread, r))
		}
	}
	if len(page.Posts) >= limit {
		page.Next = &page.Posts[len(page.Posts)-1].Cursor
	}
	return &body[Page]{page}, nil
}

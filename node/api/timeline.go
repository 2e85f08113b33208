package api

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

const defaultPage = 50 // posts

func (s *Server) timeline(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, paramSource, paramLimit, paramBefore)
	if err != nil {
		return err
	}
	sources, err := s.sources(q, 1)
	if err != nil {
		return err
	}
	_, notPost := records.ParseRef(q.Get(paramSource))
	return s.readPage(w, r, q, notPost == nil, func(ctx context.Context, rng node.Range) iter.Seq2[*records.Record, error] {
		return s.Node.Timeline(ctx, sources[0], rng)
	})
}

// readPage answers with the page that the parameters of a request ask for.
func (s *Server) readPage(w http.ResponseWriter, r *http.Request, q url.Values, thread bool,
	read func(context.Context, node.Range) iter.Seq2[*records.Record, error],
) (err error) {
	rng := node.Range{}
	if rng.Limit, err = limit(q, defaultPage, node.MaxTimeline); err != nil {
		return err
	}
	if rng.Before, err = before(q); err != nil {
		return err
	}
	ctx, done, err := s.begin(w, r)
	if err != nil {
		return err
	}
	defer done()
	page, err := pageOf(read(ctx, rng), thread, rng.Limit)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, page)
	return nil
}

// pageOf takes in a page. What was read before an error is given with it, and that
// nobody answered for a part of it is never an error of the page.
func pageOf(posts iter.Seq2[*records.Record, error], thread bool, limit int) (Page, error) {
	page := Page{Posts: []Post{}}
	for r, err := range posts {
		var gap *node.GapError
		switch {
		case err != nil && len(page.Posts) == 0 && !errors.As(err, &gap):
			return Page{}, err
		case err != nil:
			page.Problem = problemOf(err)
		default:
			page.Posts = append(page.Posts, postIn(thread, r))
		}
	}
	if len(page.Posts) >= limit {
		page.Next = &page.Posts[len(page.Posts)-1].Cursor
	}
	return page, nil
}

// sources reads from one to most timelines.
func (s *Server) sources(q url.Values, most int) ([]node.Source, error) {
	names := q[paramSource]
	if len(names) < 1 || len(names) > most {
		return nil, problem(CodeBadRequest, "%d sources: want 1 to %d, each a hashtag with #, a user, @ and a user, or a post", len(names), most)
	}
	var out []node.Source
	for _, name := range names {
		source, err := node.ParseSource(name, s.Node.User())
		if err != nil {
			return nil, err
		}
		out = append(out, source)
	}
	return out, nil
}

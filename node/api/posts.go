package api

import (
	"context"
	"errors"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// PostPath is the parameter of paths that name a post.
type PostPath struct {
	ID string `path:"id" doc:"A post's id, as it was printed." example:"p1UYY…"`
}

func (s *Server) postOperations(a *operations) {
	add(a, operation{
		route: "POST /v1/posts", id: "publishPost", group: groupPosts, status: 201,
		summary: "Publish a post",
		text: "Hashtags, mentions and links in the text count by themselves; `tags` and `mentions` are for those that do not stand in it. " +
			"The answer comes when a majority of the nodes responsible for each place of the post has it on disk and others show it.",
		codes: []Code{CodeNotFound, CodeTooLarge, CodeNoQuorum, CodeIncomplete},
	}, s.publish)
	add(a, operation{
		route: "GET /v1/posts/{id}", id: "getPost", group: groupPosts,
		summary: "Read a post",
		text:    "Its newest version, from any node. A deleted post is answered with `deleted` and without text.",
		codes:   []Code{CodeNotFound, CodeIncomplete},
	}, s.post)
	add(a, operation{
		route: "PUT /v1/posts/{id}", id: "editPost", group: groupPosts,
		summary: "Replace the text of a post",
		text:    "Where a post stands never changes: a hashtag that is new in the text is plain text.",
		codes:   []Code{CodeNotFound, CodeNotYours, CodeDeleted, CodeNoQuorum, CodeIncomplete},
	}, s.edit)
	add(a, operation{
		route: "DELETE /v1/posts/{id}", id: "deletePost", group: groupPosts,
		summary: "Delete a post",
		text:    "Every honest node lets go of the text and keeps a tombstone, so that no older copy brings the post back.",
		codes:   []Code{CodeNotFound, CodeNotYours, CodeNoQuorum, CodeIncomplete},
	}, s.remove)
}

// published is the answer to a new post.
type published struct {
	Location string `header:"Location" doc:"The path of the post."`
	Body     Receipt
}

func (s *Server) publish(ctx context.Context, in *struct{ Body Draft }) (*published, error) {
	draft, err := s.draft(in.Body)
	if err != nil {
		return nil, err
	}
	receipt, err := received(s.Node.Publish(ctx, draft))
	if err != nil {
		return nil, err
	}
	return &published{"/v1/posts/" + receipt.Body.ID, receipt.Body}, nil
}

// draft reads the names in a draft.
func (s *Server) draft(d Draft) (node.Draft, error) {
	out := node.Draft{Text: d.Text, Tags: d.Tags}
	for _, m := range d.Mentions {
		u, err := node.ParseUser(m, s.Node.User())
		if err != nil {
			return node.Draft{}, err
		}
		out.Mentions = append(out.Mentions, u)
	}
	if d.ReplyTo != nil {
		ref, err := records.ParseRef(*d.ReplyTo)
		if err != nil {
			return node.Draft{}, err
		}
		out.ReplyTo = &ref
	}
	return out, nil
}

func (s *Server) post(ctx context.Context, in *PostPath) (*body[Post], error) {
	ref, err := records.ParseRef(in.ID)
	if err != nil {
		return nil, err
	}
	post, err := s.Node.Post(ctx, ref)
	if err != nil {
		return nil, err
	}
	return &body[Post]{postOf(post)}, nil
}

func (s *Server) edit(ctx context.Context, in *struct {
	PostPath

	Body Edit
},
) (*body[Receipt], error) {
	ref, err := records.ParseRef(in.ID)
	if err != nil {
		return nil, err
	}
	return received(s.Node.Edit(ctx, ref, in.Body.Text))
}

func (s *Server) remove(ctx context.Context, in *PostPath) (*body[Receipt], error) {
	ref, err := records.ParseRef(in.ID)
	if err != nil {
		return nil, err
	}
	return received(s.Node.Delete(ctx, ref))
}

// received is the answer of what was written. Without a majority the receipt is part
// of the problem: some members may have the record.
func received(r node.Receipt, err error) (*body[Receipt], error) {
	if err == nil {
		return &body[Receipt]{receiptOf(r)}, nil
	}
	p := problemOf(err)
	if errors.Is(err, node.ErrNoQuorum) && r.Record != nil {
		out := receiptOf(r)
		p.Receipt = &out
	}
	return nil, p
}

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
			"The answer comes when a majority of the nodes responsible for each place of the post has it on disk and others show it.\n\n" +
			"With an `Idempotency-Key`, repeating the request is safe: the same key and body are the same post, also when the node was started " +
			"anew between. What was stored is answered as the first time; what was not is tried again. The same key with another body is `key_reused`.",
		codes: []Code{CodeNotFound, CodeKeyReused, CodeNoQuorum, CodeIncomplete},
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
	Replayed string `header:"Idempotency-Replayed" doc:"true if the key was known: there is no second post."`
	Body     Receipt
}

func (s *Server) publish(ctx context.Context, in *struct {
	Key  string `header:"Idempotency-Key" minLength:"1" maxLength:"255" doc:"Whatever tells this post from all others of the owner's programs, such as a UUID. It is remembered for a day." example:"8e03978e-40d5-43e8-bc93-6894a57f9324"`
	Body Draft
},
) (*published, error) {
	draft, err := s.draft(in.Body)
	if err != nil {
		return nil, err
	}
	var r node.Receipt
	replayed := ""
	if in.Key == "" {
		r, err = s.Node.Publish(ctx, draft)
	} else {
		var repeated bool
		if r, repeated, err = s.Node.PublishOnce(ctx, in.Key, draft); repeated {
			replayed = "true"
		}
	}
	receipt, err := received(r, err)
	if err != nil {
		return nil, err
	}
	return &published{"/v1/posts/" + receipt.Body.ID, replayed, receipt.Body}, nil
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

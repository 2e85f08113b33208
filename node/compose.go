package node

import (
	"context"
	"fmt"

	"github.com/starling-social/starling/records"
)

// Draft is a post before it is composed.
type Draft struct {
	Text     string
	Tags     []string // besides the #hashtags in the text; normalised here
	Mentions []records.User
	ReplyTo  *records.Ref
	Expires  records.Millis // 0 for never
}

// compose turns a draft into the head and body of a post: it finds the thread of
// what is replied to and the hashtags, mentions and links in the text.
func (n *Node) compose(ctx context.Context, d Draft) (records.PostHead, records.PostBody, error) {
	if len(d.Text) > records.MaxText {
		return records.PostHead{}, records.PostBody{}, fmt.Errorf("%w: it has %d", ErrTextSize, len(d.Text))
	}
	head := records.PostHead{Mentions: d.Mentions}
	for _, s := range d.Tags {
		t, err := records.NormalizeTag(s)
		if err != nil {
			return records.PostHead{}, records.PostBody{}, err
		}
		head.Tags = append(head.Tags, t)
	}
	if d.ReplyTo != nil {
		parent, err := n.Post(ctx, *d.ReplyTo)
		if err != nil {
			return records.PostHead{}, records.PostBody{}, fmt.Errorf("reply: %w", err)
		}
		head.Root, head.Parent = replyTo(parent)
	}
	if CountPlaces(head, n.User()) > records.MaxPlaces {
		return records.PostHead{}, records.PostBody{}, ErrManyTags
	}
	head = WithText(head, n.User(), d.Text)
	body, err := bodyOf(d.Text, head)
	return head, body, err
}

// replyTo says which thread a reply to parent stands in. Anybody may go on a
// thread whose first post is gone, so a deleted parent is no obstacle.
func replyTo(parent *records.Record) (root, ref *records.Ref) {
	p := parent.Ref()
	head, _, _ := parent.Post()
	if head.Root == nil {
		return &p, &p
	}
	return head.Root, &p
}

// bodyOf is the body of a version of a post with the given head.
func bodyOf(text string, head records.PostHead) (records.PostBody, error) {
	if len(text) > records.MaxText {
		return records.PostBody{}, fmt.Errorf("%w: it has %d", ErrTextSize, len(text))
	}
	return records.PostBody{Text: text, Facets: Facets(text, head)}, nil
}

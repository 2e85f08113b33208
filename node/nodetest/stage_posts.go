package nodetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

func (s *stage) post(ctx context.Context, c call) ([]string, error) {
	x, err := s.node(c.args[0].text)
	if err != nil {
		return nil, err
	}
	if !c.args[1].quoted {
		return nil, errors.New("a text stands in quotes")
	}
	d, err := s.draft(c)
	if err != nil {
		return nil, err
	}
	receipt, err := x.Publish(ctx, d)
	if receipt.Record != nil && c.name != "" {
		s.posts[c.name] = &posted{x, receipt.Record}
		s.names[receipt.Record.ItemKey()] = c.name
	}
	return s.outcome(receipt, err)
}

func (s *stage) draft(c call) (starling.Draft, error) {
	d := starling.Draft{Text: c.args[1].text}
	for key, value := range c.options {
		switch key {
		case "reply":
			p, known := s.posts[value]
			if !known {
				return d, fmt.Errorf("no post %q", value)
			}
			ref := p.record.Ref()
			d.ReplyTo = &ref
		case "mention":
			x, err := s.node(value)
			if err != nil {
				return d, err
			}
			d.Mentions = append(d.Mentions, x.User())
		case "expires":
			in, err := time.ParseDuration(value)
			if err != nil {
				return d, fmt.Errorf("expires: %w", err)
			}
			d.Expires = records.MillisOf(time.Now().Add(in))
		}
	}
	return d, nil
}

// outcome is what is printed of an attempt to publish.
func (s *stage) outcome(receipt starling.Receipt, err error) ([]string, error) {
	switch {
	case err == nil:
		s.stored = append(s.stored, receipt.Record)
		return []string{"stored"}, nil
	case errors.Is(err, starling.ErrNoQuorum):
		return []string{"no majority has it"}, nil
	case errors.Is(err, starling.ErrNotFound), errors.Is(err, starling.ErrDeleted), errors.Is(err, starling.ErrNotYours):
		return []string{reason(err).Error()}, nil
	default:
		return nil, err
	}
}

// reason is the part of an error that says the same each time.
func reason(err error) error {
	for _, known := range []error{starling.ErrNotFound, starling.ErrDeleted, starling.ErrNotYours} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}

func (s *stage) edit(ctx context.Context, c call) ([]string, error) {
	if !c.args[1].quoted {
		return nil, errors.New("a text stands in quotes")
	}
	return s.next(ctx, c, func(old *records.Record) (records.Draft, error) {
		return records.EditPost(old, records.MillisOf(time.Now()), records.PostBody{Text: c.args[1].text})
	})
}

func (s *stage) remove(ctx context.Context, c call) ([]string, error) {
	return s.next(ctx, c, func(old *records.Record) (records.Draft, error) {
		return records.Tombstone(old, records.MillisOf(time.Now())), nil
	})
}

// next publishes the next version of a post, signed by its author, from the author's
// node or, as from another device, from any.
func (s *stage) next(ctx context.Context, c call, compose func(old *records.Record) (records.Draft, error)) ([]string, error) {
	p, known := s.posts[c.args[0].text]
	if !known {
		return nil, fmt.Errorf("no post %q", c.args[0].text)
	}
	x := p.author
	if via, said := c.options["via"]; said {
		var err error
		if x, err = s.node(via); err != nil {
			return nil, err
		}
	}
	d, err := compose(p.record)
	if err != nil {
		return nil, err
	}
	r, err := records.Seal(ctx, s.net.network, records.AuthorSigner(p.author.config.Person), d)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	receipt, err := x.PublishRecord(ctx, r, p.record)
	receipt.Record = r
	p.record = r
	return s.outcome(receipt, err)
}

// chatterAtOnce is how many posts of one chatter are under way.
const chatterAtOnce = 8

// chatter has nodes post, one after the other, and counts what was stored.
func (s *stage) chatter(ctx context.Context, c call) ([]string, error) {
	n := len(c.args)
	xs, err := s.running(c.args[:n-2])
	if err != nil {
		return nil, err
	}
	count, err := strconv.Atoi(c.args[n-2].text)
	if err != nil || count < 1 {
		return nil, fmt.Errorf("%q posts: want a number", c.args[n-2].text)
	}
	kept := make([]*records.Record, count)
	var g errgroup.Group
	g.SetLimit(chatterAtOnce)
	for i := range count {
		g.Go(func() error {
			receipt, err := xs[i%len(xs)].Publish(ctx, starling.Draft{Text: fmt.Sprintf("chatter %d %s", i, c.args[n-1].text)})
			switch {
			case err == nil:
				kept[i] = receipt.Record
			case !errors.Is(err, starling.ErrNoQuorum):
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := 0
	for _, r := range kept {
		if r != nil {
			s.stored = append(s.stored, r)
			all++
		}
	}
	return []string{fmt.Sprintf("%d of %d stored", all, count)}, nil
}

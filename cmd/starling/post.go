package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

func newPost(a *app) *cobra.Command {
	var d api.Draft
	var replyTo string
	c := &cobra.Command{
		Use:   "post [TEXT | -]",
		Short: "Publish a post",
		Long: `Publish a post of at most 4096 bytes, as an argument or on standard input, where a
final line break is dropped. Words with # before them are its hashtags, and each
did:key:… in it mentions somebody; --tag and --mention add others. A post stands in
at most 8 places: yours, one for each hashtag and each mention, and its thread.
Words beyond that stay plain text.

Done when a majority of the nodes that keep each place have it on disk.`,
		Example: `  starling post 'Hello, #starling'
  starling post --tag birds --mention did:key:z6Mk… 'Have you seen this?'
  fortune | starling post --reply-to pM7MFQ…`,
		Args: oneText(0),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if c.Flags().Changed("reply-to") {
				d.ReplyTo = &replyTo
			}
			if d.Text, err = text(args); err != nil {
				return err
			}
			if err := checkDraft(d); err != nil {
				return err
			}
			return a.publish(c.Context(), "posted", func(ctx context.Context, n *api.Client) (api.Receipt, error) {
				return n.Publish(ctx, d)
			})
		},
	}
	flags := c.Flags()
	flags.StringArrayVar(&d.Tags, "tag", nil, "`hashtag`, with or without #; may be repeated")
	flags.StringArrayVar(&d.Mentions, "mention", nil, "`user` to mention, did:key:… or me; may be repeated")
	flags.StringVar(&replyTo, "reply-to", "", "id of the `post` that this one answers")
	return c
}

// checkDraft finds slips before anybody is asked.
func checkDraft(d api.Draft) error {
	for _, t := range d.Tags {
		if _, err := records.NormalizeTag(t); err != nil {
			return usage("--tag: %w", err)
		}
	}
	for _, m := range d.Mentions {
		if _, err := node.ParseUser(m, records.User{}); err != nil {
			return usage("--mention: %w", err)
		}
	}
	if d.ReplyTo != nil {
		if _, err := records.ParseRef(*d.ReplyTo); err != nil {
			return usage("--reply-to: %w", err)
		}
	}
	return nil
}

// publish has the node do something and prints the receipt, also when too few
// members acknowledged: some may have it.
func (a *app) publish(ctx context.Context, done string, do func(context.Context, *api.Client) (api.Receipt, error)) error {
	return a.withNode(func(n *api.Client) error {
		receipt, err := do(ctx, n)
		var p *api.Problem
		if errors.As(err, &p) && p.Receipt != nil {
			return errors.Join(a.receipt("tried", *p.Receipt), err)
		}
		if err != nil {
			return err
		}
		return a.receipt(done, receipt)
	})
}

func (a *app) receipt(done string, r api.Receipt) error {
	if a.json {
		return a.out.object(r)
	}
	return a.out.receipt(done, r)
}

// text is what to say: the argument, or standard input for - or none.
func text(args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return checkText(args[0])
	}
	if len(args) == 0 && term.IsTerminal(int(os.Stdin.Fd())) {
		return "", usage("nothing to say: give a text, or - to type it and end with ctrl-D")
	}
	b, err := io.ReadAll(io.LimitReader(os.Stdin, records.MaxText+2)) // a byte too many shows; so does a final line break
	if err != nil {
		return "", usage("read standard input: %w", err)
	}
	return checkText(strings.TrimSuffix(string(b), "\n"))
}

func checkText(s string) (string, error) {
	switch {
	case strings.TrimSpace(s) == "":
		return "", usage("the text is empty")
	case len(s) > records.MaxText:
		return "", usage("the text is longer than %d bytes: shorten it, or say it in two posts", records.MaxText)
	case !utf8.ValidString(s):
		return "", usage("the text is not UTF-8")
	}
	return s, nil
}

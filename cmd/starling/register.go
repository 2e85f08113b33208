package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

const oneRegister = "a user (did:key:… or me) and a name"

func newProfile(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "profile", Short: "Say who you are, or ask who somebody is",
		Long: `A profile is a name, a few words and links, signed by whom it is about.`,
		Example: `  starling profile set --name Ada
  starling profile get did:key:z6Mk…`,
	}
	var p api.Profile
	set := &cobra.Command{
		Use:     "set",
		Short:   "Publish your profile",
		Long:    `Publish your profile in place of the one there is. It is a register, see 'put'.`,
		Example: `  starling profile set --name Ada --about 'Counts birds'`,
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			body := records.ProfileBody{Name: p.Name, About: p.About, Links: p.Links}
			if _, err := body.Encode(); err != nil {
				return usage("%w", err)
			}
			return a.putRegister(c.Context(), records.Profile, api.RegisterDraft{Profile: &p})
		},
	}
	set.Flags().StringVar(&p.Name, "name", "", "what you are called, at most 64 characters")
	set.Flags().StringVar(&p.About, "about", "", "about you, at most 1024 bytes")
	set.Flags().StringArrayVar(&p.Links, "link", nil, "`address` http or https; may be repeated, at most 8")
	c.AddCommand(set, &cobra.Command{
		Use:   "get [USER]",
		Short: "Show somebody's profile, or yours",
		Long:  `Show what a user says of themselves, or without USER what you do.`,
		Example: `  starling profile get
  starling profile get did:key:z6Mk… --json`,

		ValidArgsFunction: one(a.users),
		Args:              arguments(0, 1, "one user (did:key:… or me)"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.getRegister(c.Context(), append(args, "me")[0], records.Profile, false)
		},
	})
	return c
}

func newPut(a *app) *cobra.Command {
	var (
		d              api.RegisterDraft
		expect         uint64
		ttl            time.Duration
		party, consent string
		remove         bool
	)
	c := &cobra.Command{
		Use:   "put NAME [TEXT | -]",
		Short: "Write one of your service records",
		Long: `Write a register of yours: one value under /service/<you>/NAME (or profile or
identity, for programs), at most 8 KiB with its signature. Anybody reads it, you alone
write it. Done when a majority of the nodes that keep it have it on disk and others
show it; with --expect, only if that revision stands (0: none).

Of a relation with somebody, --party says with whom and --consent brings what
'starling consent' printed for them; without it the relation shows as unconfirmed.`,
		Example: `  starling put address '/ip4/192.0.2.7/tcp/4001'
  starling put address --expect 0 --ttl 48h '/ip4/192.0.2.7/tcp/4001'
  starling put --delete address`,
		Args: arguments(1, 2, "a name and one text: put quotes around it"),
		RunE: func(c *cobra.Command, args []string) error {
			name, err := registerName(args[0])
			if err != nil {
				return err
			}
			if c.Flags().Changed("expect") {
				d.Expect = &expect
			}
			if remove {
				return a.deleteRegister(c.Context(), name, d.Expect, len(args))
			}
			said, err := text(args[1:])
			if err != nil {
				return err
			}
			d.Text = &said
			if ttl < 0 {
				return usage("--ttl: %s is over before it begins", ttl)
			}
			if ttl > 0 {
				d.Expires = time.Now().Add(ttl).UnixMilli()
			}
			if d.Party, d.Consent, err = relation(c, party, consent); err != nil {
				return err
			}
			return a.putRegister(c.Context(), name, d)
		},
	}
	flags := c.Flags()
	flags.Uint64Var(&expect, "expect", 0, "`revision` that must stand; 0 for none")
	flags.DurationVar(&ttl, "ttl", 0, "how long it is valid, such as 48h; for ever if not said")
	flags.StringVar(&party, "party", "", "the other `user` of a relation")
	flags.StringVar(&consent, "consent", "", "and that user's `consent`")
	flags.BoolVar(&remove, "delete", false, "delete it")
	return c
}

// relation is the other side of one, and its consent, as far as they were given.
func relation(c *cobra.Command, party, consent string) (with, agreed *string, err error) {
	if c.Flags().Changed("party") {
		if _, err := node.ParseUser(party, records.User{}); err != nil {
			return nil, nil, usage("--party: %w", err)
		}
		with = &party
	}
	if c.Flags().Changed("consent") {
		agreed = &consent
	}
	return with, agreed, nil
}

func newGet(a *app) *cobra.Command {
	var first bool
	c := &cobra.Command{
		Use:     "get USER NAME",
		Short:   "Read a service record",
		Long:    `Read what stands in a register: the newest version that the nodes which keep it show.`,
		Example: `  starling get did:key:z6Mk… address`,

		ValidArgsFunction: one(a.users),
		Args:              arguments(2, 2, oneRegister),
		RunE: func(c *cobra.Command, args []string) error {
			name, err := registerName(args[1])
			if err != nil {
				return err
			}
			return a.getRegister(c.Context(), args[0], name, first)
		},
	}
	c.Flags().BoolVar(&first, "first", false, "take the first version that is shown, though others may be newer")
	return c
}

func newHistory(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "history USER NAME",
		Short: "Show the versions of a service record that your node has seen",
		Long: `Show the versions of a register that your node has written or read, the newest
first, at most 16. The network keeps the newest alone; where versions are missing
between two, the list says so.`,
		Example: `  starling history me address`,

		ValidArgsFunction: one(a.users),
		Args:              arguments(2, 2, oneRegister),
		RunE: func(c *cobra.Command, args []string) error {
			name, err := registerName(args[1])
			if err != nil {
				return err
			}
			if err := checkUser(args[0]); err != nil {
				return err
			}
			return a.withNode(func(n *api.Client) error {
				list, err := n.History(c.Context(), args[0], name)
				if err != nil {
					return err
				}
				for _, v := range list.Versions {
					if err := a.seenRegister(v); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func newConsent(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "consent USER NAME TEXT",
		Short: "Agree to what somebody's service record says of you",
		Long: `Sign that you agree to TEXT in that user's register, and print what they pass to
'starling put --consent'.`,
		Example: `  starling consent did:key:z6Mk… friends 'We know each other'`,

		ValidArgsFunction: one(a.users),
		Args:              arguments(3, 3, "a user, a name and one text: put quotes around it"),
		RunE: func(c *cobra.Command, args []string) error {
			name, err := registerName(args[1])
			if err != nil {
				return err
			}
			if err := checkUser(args[0]); err != nil {
				return err
			}
			return a.withNode(func(n *api.Client) error {
				got, err := n.Consent(c.Context(), api.ConsentTo{User: args[0], Name: name, Text: args[2]})
				if err != nil {
					return err
				}
				if a.json {
					return a.out.object(got)
				}
				return a.out.line("%s", got.Consent)
			})
		},
	}
}

// registerName is the register that a command names: profile and identity by their
// names, all others are services.
func registerName(s string) (string, error) {
	id := records.RegisterID{Name: s}
	if s != records.Profile && s != records.Identity {
		id.Name = records.ServiceName(strings.TrimPrefix(s, "service/"))
	}
	if err := id.Check(); err != nil {
		return "", usage("name %.80q: want 1 to 64 of a-z, 0-9, '-', '_' and '.'", s)
	}
	return id.Name, nil
}

func checkUser(s string) error {
	if _, err := node.ParseUser(s, records.User{}); err != nil {
		return usage("%w", err)
	}
	return nil
}

func (a *app) putRegister(ctx context.Context, name string, d api.RegisterDraft) error {
	return a.withNode(func(n *api.Client) error { return a.wrote(n.PutRegister(ctx, name, d)) })
}

func (a *app) deleteRegister(ctx context.Context, name string, expect *uint64, arguments int) error {
	if arguments > 1 {
		return usage("put takes either --delete or a text")
	}
	return a.withNode(func(n *api.Client) error { return a.wrote(n.DeleteRegister(ctx, name, expect)) })
}

// wrote prints a receipt, or what stands instead.
func (a *app) wrote(r api.RegisterReceipt, err error) error {
	var p *api.Problem
	if errors.As(err, &p) && p.Stands != nil {
		return errors.Join(a.register(*p.Stands), err)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.out.object(r)
	}
	return a.out.line("%s\n  revision %d  on %d of %d nodes, shown by %d of %d others", a.out.styled(bold, r.Register.Key),
		r.Register.Rev, r.Stored, r.Wanted, r.Shown, r.Asked)
}

func (a *app) getRegister(ctx context.Context, user, name string, first bool) error {
	if err := checkUser(user); err != nil {
		return err
	}
	return a.withNode(func(n *api.Client) error {
		r, err := n.Register(ctx, user, name, first)
		if err != nil {
			return err
		}
		return a.register(r)
	})
}

// register prints a version.
func (a *app) register(r api.Register) error {
	if a.json {
		return a.out.object(r)
	}
	return a.out.line("%s", a.registerText(r))
}

func (a *app) seenRegister(v api.SeenRegister) error {
	if a.json {
		return a.out.object(v)
	}
	if v.Missing {
		return a.out.line("%s\n  %s", a.registerText(v.Register), a.out.styled(dim, "versions before it were not seen"))
	}
	return a.out.line("%s", a.registerText(v.Register))
}

func (a *app) registerText(r api.Register) string {
	var b strings.Builder
	b.WriteString(a.out.styled(bold, r.Key))
	switch {
	case r.Deleted:
		b.WriteString("  deleted")
	case r.Party != nil && r.Confirmed != nil && *r.Confirmed:
		b.WriteString("  confirmed by " + *r.Party)
	case r.Party != nil:
		b.WriteString("  unconfirmed by " + *r.Party)
	}
	for _, line := range registerLines(r) {
		b.WriteString("\n  " + printable(line))
	}
	return b.String()
}

// registerLines is the value as people read it.
func registerLines(r api.Register) []string {
	switch {
	case r.Deleted:
		return nil
	case r.Profile != nil:
		return append([]string{r.Profile.Name, r.Profile.About}, r.Profile.Links...)
	case r.Text != nil:
		return strings.Split(*r.Text, "\n")
	default:
		return []string{"bytes that are no text; see --json"}
	}
}

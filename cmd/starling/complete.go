package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node/api"
)

// completionBound is how long a shell waits for what a node knows: people type on.
const completionBound = 500 * time.Millisecond

type completion = func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// filesOnly completes names of files.
func filesOnly(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completes offers values that never change.
func completes(values ...string) completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values, cobra.ShellCompDirectiveNoFileComp
	}
}

// sources completes what a timeline is of: me, and what the node follows. Without a
// node there is nothing to offer, and nobody is told: a shell completes on.
func (a *app) sources(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	offers := []string{"me\tyou", "@me\twhat mentions you"}
	for _, f := range a.followedNow() {
		offers = append(offers, shellWord(f)+"\tfollowed")
	}
	var out []string
	for _, o := range offers {
		if strings.HasPrefix(o, shellWord(begun)) {
			out = append(out, o)
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// one completes the first argument alone.
func one(of completion) completion {
	return func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return of(c, args, begun)
	}
}

// users completes people.
func (a *app) users(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	out := []string{"me\tyou"}
	for _, f := range a.followedNow() {
		if strings.HasPrefix(f, "did:") {
			out = append(out, f+"\tfollowed")
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// tags completes hashtags, without their #.
func (a *app) tags(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var out []string
	for _, f := range a.followedNow() {
		if tag, ok := strings.CutPrefix(f, "#"); ok {
			out = append(out, tag+"\tfollowed")
		}
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// followedNow asks the node what it follows; nothing where that takes too long.
func (a *app) followedNow() (out []string) {
	ctx, cancel := context.WithTimeout(context.Background(), completionBound)
	defer cancel()
	_ = a.withNode(func(n *api.Client) error {
		list, err := n.Following(ctx)
		for _, f := range list.Following {
			out = append(out, f.Source)
		}
		return err
	})
	return out
}

// shellWord is a word as it is typed: in bash, # begins a comment.
func shellWord(s string) string {
	if os.Getenv(completionShell) == "bash" && strings.HasPrefix(s, "#") {
		return `\` + s
	}
	return s
}

// keys completes key=value of --set.
func settingKeys(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	s := defaults(profileDefault)
	var out []string
	for _, k := range list(&s) {
		out = append(out, k.key+"=\t"+k.help)
	}
	return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeFlags says what the values of flags are, wherever they are taken.
func (a *app) completeFlags(root *cobra.Command) {
	values := map[string]completion{
		"data": func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		"config":    filesOnly,
		"replay":    filesOnly,
		"profile":   completes(string(profileDefault), string(profileServer), string(profileLocal), string(profileLowPower)),
		"log-level": completes("debug", "info", "warn", "error"),
		"set":       settingKeys,
		"tag":       a.tags,
		"user":      a.users, "mention": a.users, "party": a.users,
	}
	for c := range commands(root) {
		for name, of := range values {
			if c.LocalFlags().Lookup(name) != nil {
				_ = c.RegisterFlagCompletionFunc(name, of) // fails for a flag that is there twice, or not at all
			}
		}
	}
}

package main

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// groups are the headings of 'starling help', and what stands below each.
var groups = [...]struct{ title, commands string }{
	{"Your node:", "run id status peers top web"},
	{"Read and write:", "post edit delete timeline watch follow unfollow following"},
	{"Who people are, and what they put on record:", "profile name put get history consent"},
	{"Look after it:", "doctor healthcheck config export import db"},
	{"Everything else:", "testnet completion man version help"},
}

// shape makes a tree of commands one to be used: grouped, helpful about slips, and
// with the exit statuses below every help.
func shape(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
	}
	root.SetHelpCommandGroupID(groups[len(groups)-1].title)
	root.SetUsageTemplate(usageTemplate(root))
	root.SetFlagErrorFunc(flagSlip)
	root.DisableSuggestions = true // ours are those of below
	root.InitDefaultHelpCmd()
	for c := range commands(root) {
		for _, g := range groups {
			if c.Parent() == root && slices.Contains(strings.Fields(g.commands), c.Name()) {
				c.GroupID = g.title
			}
		}
		if c.Parent() == root && c.Name() == "help" {
			c.Run, c.RunE = nil, helpOn
			c.Example = "  starling help post\n  starling help config show\n  starling help exit-codes"
		}
		if c.HasSubCommands() && !c.Runnable() {
			c.Args, c.RunE = below, func(c *cobra.Command, _ []string) error { return c.Help() }
		}
		if c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
			c.ValidArgsFunction = cobra.NoFileCompletions
		}
	}
}

// helpOn is the help of a command that may be misspelt: cobra's own shows that of
// everything then, as if it had been asked for.
func helpOn(c *cobra.Command, args []string) error {
	asked, rest, err := c.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return below(asked, rest)
	}
	asked.InitDefaultHelpFlag()
	return asked.Help()
}

// usageTemplate is cobra's, with topics as they are asked for and the exit statuses.
func usageTemplate(root *cobra.Command) string {
	t := strings.NewReplacer(
		"Additional help topics:", "More to read, with 'starling help TOPIC':",
		"{{rpad .CommandPath .CommandPathPadding}}", "{{rpad .Name .NamePadding}}",
	).Replace(root.UsageTemplate())
	return t + "\n" + exitLine() + "\n"
}

// commands are a command and all below it.
func commands(c *cobra.Command) iter.Seq[*cobra.Command] {
	return func(yield func(*cobra.Command) bool) { visit(c, yield) }
}

func visit(c *cobra.Command, yield func(*cobra.Command) bool) bool {
	if !yield(c) {
		return false
	}
	return !slices.ContainsFunc(c.Commands(), func(sub *cobra.Command) bool { return !visit(sub, yield) })
}

// below tells those who misspelt a command which is most like it.
func below(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	if near := nearestOf(args[0], names); near != "" {
		return usage("there is no command %.40q; did you mean '%s %s'?", args[0], c.CommandPath(), near)
	}
	return usage("there is no command %.40q; see '%s --help'", args[0], c.CommandPath())
}

// flagSlip tells those who misspelt a flag which is most like it.
func flagSlip(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usage("%w; see '%s --help'", plainly(err), c.CommandPath())
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	name := unknown.GetSpecifiedName()
	if near := nearestOf(name, names); len(name) > 1 && near != "" {
		return usage("%s has no flag --%.40s; did you mean --%s?", c.Name(), name, near)
	}
	return usage("%w; see '%s --help'", err, c.CommandPath())
}

// plainly says what a flag wants, where the error says what a function of Go's library
// could not do.
func plainly(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	wants := map[string]string{"int": "a whole number", "uint64": "a whole number, not below 0", "duration": "a time such as 90s or 48h", "bool": "true or false"}
	if want := wants[invalid.GetFlag().Value.Type()]; want != "" {
		return fmt.Errorf("--%s %.40q: want %s", invalid.GetFlag().Name, invalid.GetValue(), want)
	}
	return err
}

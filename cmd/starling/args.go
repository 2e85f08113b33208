package main

import "github.com/spf13/cobra"

// arguments wants from least to most of them, any number if most is negative.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return usage("%s takes %s; see '%s --help'", c.Name(), what, c.CommandPath())
		}
		return nil
	}
}

func noArguments(c *cobra.Command, args []string) error {
	return arguments(0, 0, "no arguments")(c, args)
}

// unlessHome wants no arguments with --home, which stands in their place.
func unlessHome(home *bool, otherwise cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if !*home {
			return otherwise(c, args)
		}
		if len(args) > 0 {
			return usage("%s takes either --home or something else; see '%s --help'", c.Name(), c.CommandPath())
		}
		return nil
	}
}

// oneText wants so many arguments and after them at most one text.
func oneText(before int) cobra.PositionalArgs {
	what := "one text: put quotes around it"
	if before > 0 {
		what = "the id of a post and one text: put quotes around it"
	}
	return arguments(before, before+1, what)
}

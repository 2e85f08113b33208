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

// oneText wants so many arguments and after them at most one text.
func oneText(before int) cobra.PositionalArgs {
	what := "one text: put quotes around it"
	if before > 0 {
		what = "the id of a post and one text: put quotes around it"
	}
	return arguments(before, before+1, what)
}

package main

import (
	"bytes"
	"fmt"

	"github.com/spf13/cobra"
)

// completionShell tells the command that completes for which shell it does, where that
// makes a difference: bash alone takes a word as it stands, quotes and all.
const completionShell = "COMP_SHELL"

func newCompletion(a *app) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash | zsh | fish | powershell",
		Short: "Print what has your shell complete commands, flags and what you follow",
		Long: `Print a script for your shell. It completes commands, flags and their values; while
your node runs, also hashtags and users that you follow.

  bash         starling completion bash > ~/.local/share/bash-completion/completions/starling
               (needs the package bash-completion)
  zsh          starling completion zsh > "${fpath[1]}/_starling"
  fish         starling completion fish > ~/.config/fish/completions/starling.fish
  powershell   starling completion powershell >> $PROFILE

Then start a new shell.`,
		Example: `  starling completion bash
  starling completion zsh`,
		Args: func(c *cobra.Command, args []string) error {
			if err := arguments(1, 1, "one shell: bash, zsh, fish or powershell")(c, args); err != nil {
				return err
			}
			return oneOf(new(string), []byte(args[0]), shells...)
		},
		ValidArgs: shells,
		RunE: func(c *cobra.Command, args []string) error {
			script, err := completionScript(c.Root(), args[0])
			if err != nil {
				return fmt.Errorf("completion: %w", err)
			}
			if a.json {
				return a.out.object(struct {
					Shell  string `json:"shell"`
					Script string `json:"script"`
				}{args[0], string(script)})
			}
			return a.out.write(script)
		},
	}
}

func completionScript(root *cobra.Command, shell string) ([]byte, error) {
	var b bytes.Buffer
	var err error
	switch shell {
	case "zsh":
		err = root.GenZshCompletion(&b)
	case "fish":
		err = root.GenFishCompletion(&b, true)
	case "powershell":
		err = root.GenPowerShellCompletionWithDesc(&b)
	default:
		err = root.GenBashCompletionV2(&b, true)
		ask := []byte(`requestComp="`)
		return bytes.ReplaceAll(b.Bytes(), ask, append(ask, completionShell+"=bash "...)), err
	}
	return b.Bytes(), err
}

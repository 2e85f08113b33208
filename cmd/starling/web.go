package main

import (
	"context"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/starling-social/starling/node/api"
)

func newWeb(a *app) *cobra.Command {
	only := false
	c := &cobra.Command{
		Use:   "web",
		Short: "Open your node's page in a browser, signed in",
		Long: `Print the address of your node's page, with a code behind the # that signs in once and
within a minute, and open it in a browser where there is one: standard output has to be
a terminal, and there has to be a desktop. Whoever has the address has your node, until
it was used.`,
		Example: `  starling web
  starling web --print
  ssh -L 7827:127.0.0.1:7827 node.example.org starling web --print`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withNode(func(n *api.Client) error {
				in, err := n.SignIn(c.Context())
				if err != nil {
					return err
				}
				if a.json {
					return a.out.object(in)
				}
				if err := a.out.line("%s", in.URL); err != nil {
					return err
				}
				if only || !isTerminal(os.Stdout) {
					return nil
				}
				return a.browse(c.Context(), in.URL)
			})
		},
	}
	c.Flags().BoolVar(&only, "print", false, "print the address and open nothing")
	return c
}

// browse opens an address. Browsers are handed a file that leads there: what stands on
// a command line, every user of the machine can read, and the code is a secret.
func (a *app) browse(ctx context.Context, url string) error {
	opener := browser()
	if opener == nil {
		fmt.Fprintln(os.Stderr, "starling: there is no browser to open here; open the address within a minute")
		return nil
	}
	dir, err := a.dir()
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "sign-in.html")
	page := `<!doctype html><meta charset="utf-8"><title>Starling</title><meta name="referrer" content="no-referrer">` +
		`<meta http-equiv="refresh" content="0; url=` + html.EscapeString(url) + `"><a href="` + html.EscapeString(url) + `">Open Starling</a>`
	if err := writeSecret(file, page); err != nil {
		return err
	}
	if err := exec.CommandContext(ctx, opener[0], append(opener[1:], file)...).Run(); err != nil { //nolint:gosec // one of those below, and a file of ours
		fmt.Fprintf(os.Stderr, "starling: %s: %v; open the address within a minute\n", opener[0], err)
	}
	return nil
}

// writeSecret writes a file that its owner alone can read, in place of an earlier one.
func writeSecret(file, content string) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".web-*") // mode 0600
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone already, if all went well
	_, err = f.WriteString(content)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	return nil
}

// browser is the command that opens a file in one; nil where there is no desktop.
func browser() []string {
	var command []string
	switch runtime.GOOS {
	case "darwin":
		command = []string{"open"}
	case "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler"}
	default:
		if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
			return nil
		}
		command = []string{"xdg-open"}
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		return nil
	}
	return command
}

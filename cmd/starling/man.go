package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/starling-social/starling/node"
)

func newMan(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages of all commands",
		Long: `Write a manual page for every command, starling.1, starling-run.1 and so on, into a
directory, which is made if it is not there. They say what --help says.`,
		Example: `  starling man /usr/local/share/man/man1
  starling man /tmp/man`,
		Args:              arguments(1, 1, "one directory"),
		ValidArgsFunction: filesOnly,
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil { //nolint:gosec // G301: manual pages are for everybody
				return fmt.Errorf("manual pages: %w", err)
			}
			pages, err := writeManual(args[0])
			if err != nil {
				return fmt.Errorf("manual pages: %w", err)
			}
			if a.json {
				return a.out.object(struct {
					Directory string `json:"directory"`
					Pages     int    `json:"pages"`
				}{args[0], pages})
			}
			return a.out.line("%d pages in %s; read one with: man %s", pages, printable(args[0]), printable(filepath.Join(args[0], "starling.1")))
		},
	}
}

// writeManual writes a page for every command and topic, and counts them.
func writeManual(dir string) (pages int, err error) {
	root, _ := newRoot()                               // one of our own: its texts are changed
	for _, c := range slices.Collect(commands(root)) { // before GenMan adds commands of cobra's
		c.DisableAutoGenTag, c.Long = true, asMarkdown(c.Long)
		var b bytes.Buffer
		header := &doc.GenManHeader{Title: strings.ToUpper(manName(c)), Section: "1", Source: "Starling " + node.Version, Manual: "Starling"}
		if err := doc.GenMan(c, header, &b); err != nil {
			return pages, err
		}
		if err := os.WriteFile(filepath.Join(dir, manName(c)+".1"), b.Bytes(), 0o644); err != nil { //nolint:gosec // G306: manual pages are for everybody
			return pages, err
		}
		pages++
	}
	return pages, nil
}

func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// asMarkdown keeps indented lines as they are, and is no heading where # begins one.
func asMarkdown(help string) string {
	var b strings.Builder
	block := false
	for line := range strings.Lines(help) {
		switch indented := strings.HasPrefix(line, "  "); {
		case indented && !block:
			b.WriteString("\n")
			fallthrough
		case indented:
			line = "  " + line
			block = true
		case strings.TrimSpace(line) != "":
			block = false
			if line[0] == '#' {
				line = `\` + line
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
)

// Every command and every flag is explained, and every command stands in a group.
func TestTree_explained(t *testing.T) {
	root, _ := newRoot()
	for c := range commands(root) {
		path := c.CommandPath()
		if len(c.Short) > 78 || c.Short == "" || strings.HasSuffix(c.Short, ".") || c.Long == "" {
			t.Errorf("%s is explained by %q and %q", path, c.Short, c.Long)
		}
		if c.Runnable() && c.Example == "" {
			t.Errorf("%s has no example", path)
		}
		if c.Runnable() && c.Parent() == root && c.GroupID == "" {
			t.Errorf("%s is in no group", path)
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len([]rune(line)) > 100 {
				t.Errorf("%s: a line of %d characters: %s", path, len([]rune(line)), line)
			}
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: nothing is said of --%s", path, f.Name)
			}
		})
		if help := helpOf(t, c); c.Runnable() && !strings.Contains(help, "Exit status:") {
			t.Errorf("%s says nothing of its exit status:\n%s", path, help)
		}
	}
}

func helpOf(t *testing.T, c *cobra.Command) string {
	t.Helper()
	var b strings.Builder
	c.SetOut(&b)
	if err := c.Help(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every example is a command line that is taken, flags and number of arguments included.
func TestTree_examplesParse(t *testing.T) {
	root, _ := newRoot()
	for _, c := range slices.Collect(commands(root)) {
		for line := range strings.Lines(c.Example + "\n" + c.Long) {
			if !strings.HasPrefix(line, "  ") {
				continue
			}
			for _, words := range shellWords(line) {
				if words[0] != "starling" {
					continue
				}
				if err := parses(words[1:]); err != nil {
					t.Errorf("%s: %s: %v", c.CommandPath(), strings.TrimSpace(line), err)
				}
			}
		}
	}
	for _, wrong := range []string{"starling frobnicate", "starling post a b c", "starling status --loud"} {
		if parses(shellWords(wrong)[0][1:]) == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

// parses has a tree of its own take a command line, without doing what it says.
func parses(words []string) error {
	root, _ := newRoot()
	c, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return c.FlagErrorFunc()(c, err)
	}
	return c.ValidateArgs(c.Flags().Args())
}

// shellWords are the commands of a line, parted by pipes, without what is redirected
// and what follows two blanks, which is what people are told beside it.
func shellWords(line string) (pipes [][]string) {
	var words []string
	var word strings.Builder
	quote, begun := rune(0), false
	end := func() {
		if begun {
			words = append(words, word.String())
			word.Reset()
			begun = false
		}
	}
	line = strings.TrimSpace(line)
	for i, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && (r == '|' || r == '>' || r == '<' || strings.HasPrefix(line[i:], "   ")):
			end()
			if len(words) > 0 {
				pipes = append(pipes, words)
			}
			if r != '|' {
				return pipes
			}
			words = nil
		case quote == 0 && r == ' ':
			end()
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if end(); len(words) > 0 {
		pipes = append(pipes, words)
	}
	return pipes
}

// There is a manual page for every command and topic, and it tells of every flag.
func TestMan_complete(t *testing.T) {
	dir := t.TempDir()
	n, err := writeManual(dir)
	if err != nil {
		t.Fatal(err)
	}
	root, _ := newRoot()
	all := slices.Collect(commands(root))
	if n != len(all) {
		t.Errorf("%d pages for %d commands", n, len(all))
	}
	for _, c := range all {
		page, err := os.ReadFile(filepath.Join(dir, manName(c)+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !strings.Contains(string(page), `--`+f.Name) && !strings.Contains(string(page), `\-\-`+strings.ReplaceAll(f.Name, "-", `\-`)) {
				t.Errorf("%s does not tell of --%s", manName(c), f.Name)
			}
		})
	}
}

// Each exit status is told of, and is that of an error.
func TestExits(t *testing.T) {
	ends := map[int][]error{
		exitDone:       {nil},
		exitFailed:     {errors.New("a disk"), node.ErrFull, node.ErrListen, &api.Problem{Code: api.CodeNoQuorum}},
		exitUsage:      {usage("what?"), fmt.Errorf("new: %w", node.ErrConfig), &api.Problem{Code: api.CodeBadRequest}, api.ErrNotLoopback},
		exitNotRunning: {api.ErrNotRunning, &api.Problem{Code: api.CodeStopping}},
		exitLocked:     {node.ErrLocked, node.ErrReadOnly, node.ErrDenied, node.ErrNewer},
	}
	for i, e := range exits {
		if i != e.code || len(ends[e.code]) == 0 || !strings.Contains(exitTable(), fmt.Sprintf("  %d  %s", e.code, e.short)) {
			t.Errorf("status %d: %q", e.code, e.short)
		}
		for _, err := range ends[e.code] {
			if got := exitCode(err); got != e.code {
				t.Errorf("%v ends with %d, want %d", err, got, e.code)
			}
		}
	}
	if len(ends) != len(exits) {
		t.Errorf("%d statuses, %d are told of", len(ends), len(exits))
	}
}

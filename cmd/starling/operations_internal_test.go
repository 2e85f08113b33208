package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the tables of docs/operations.md")

const operations = "../../docs/operations.md"

// The manual's tables are those of the code.
func TestOperations_tables(t *testing.T) {
	b, err := os.ReadFile(operations)
	if err != nil {
		t.Fatal(err)
	}
	is := string(b)
	want := between(t, between(t, is, "settings", settingsTable()), "exits", exitsTable())
	if *rewrite {
		if err := os.WriteFile(operations, []byte(want), 0o644); err != nil { //nolint:gosec // G703: the path is a constant, what is written comes from it
			t.Fatal(err)
		}
		return
	}
	if is != want {
		t.Error("tables are not those of the code: go test ./cmd/starling -run Operations -rewrite, and look at the difference")
	}
}

// Every line of the log that the manual explains is one that the code writes.
func TestOperations_log(t *testing.T) {
	b, err := os.ReadFile(operations)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "## What the log says")
	section, _, _ = strings.Cut(section, "\n## ")
	code := sources(t, ".", "../../node", "../../datastore", "../../protocol/dht")
	explained := 0
	for line := range strings.Lines(section) {
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(first, -1) {
			if !strings.HasPrefix(line, "| `") {
				continue
			}
			explained++
			if !strings.Contains(code, `"`+m[1]) {
				t.Errorf("nothing says %q", m[1])
			}
		}
	}
	if explained < 10 {
		t.Errorf("%d lines are explained", explained)
	}
}

func sources(t *testing.T, dirs ...string) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range dirs {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f.Name(), ".go") && !strings.HasSuffix(f.Name(), "_test.go") {
				b, err := os.ReadFile(dir + "/" + f.Name())
				if err != nil {
					t.Fatal(err)
				}
				all.Write(b)
			}
		}
	}
	return all.String()
}

// between is a text with what stands between two marks replaced.
func between(t *testing.T, text, mark, table string) string {
	t.Helper()
	begin, end := "<!-- "+mark+" -->\n", "<!-- /"+mark+" -->"
	head, rest, ok := strings.Cut(text, begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("no marks for %s", mark)
	}
	return head + begin + table + end + tail
}

func settingsTable() string {
	var b strings.Builder
	b.WriteString("| key | default | what it is |\n| --- | --- | --- |\n")
	s := defaults(profileDefault)
	for _, k := range list(&s) {
		value := "`" + strings.Join(strings.Fields(literal(k.value)), " ") + "`"
		if all, ok := k.value.Interface().([]string); ok && len(all) > 1 {
			value = fmt.Sprintf("`%s` and %d more", all[0], len(all)-1)
		}
		if k.empty != "" {
			value = k.empty
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.key, strings.ReplaceAll(value, "|", `\|`), strings.ReplaceAll(k.help, "|", `\|`))
	}
	return b.String()
}

func exitsTable() string {
	var b strings.Builder
	b.WriteString("| status | | what it means |\n| --- | --- | --- |\n")
	for _, e := range exits {
		fmt.Fprintf(&b, "| %d | %s | %s |\n", e.code, e.short, e.meaning)
	}
	return b.String()
}

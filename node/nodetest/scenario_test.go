package nodetest_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/starling-social/starling/node/nodetest"
)

// rewrite is that of every kind of golden file in this repository. Commit only what you
// understand of what it changed.
var rewrite = flag.Bool("rewrite", false, "write what scenarios print into them, instead of comparing")

// Every story in testdata/scenarios goes as it is told there.
func TestScenario(t *testing.T) {
	paths, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil || len(paths) < 8 {
		t.Fatalf("%d scenarios: %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) { play(t, path) })
	}
}

func play(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := nodetest.ParseScenario(string(text))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var got string
	synctest.Test(t, func(t *testing.T) {
		out, err := s.Run(t.Context(), t)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		got = out.String()
	})
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := string(text); got != want {
		t.Errorf("%s went another way:\n%s", path, differing(got, want))
	}
}

// differing are the lines from the first that differs on.
func differing(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got\n" + strings.Join(g[i:min(i+12, len(g))], "\n") + "\nwant\n" + strings.Join(w[i:min(i+12, len(w))], "\n")
		}
	}
	return "more or fewer lines"
}

// mistakes are scenarios that cannot be read, and what is said of each.
func mistakes() map[string]string {
	return map[string]string{
		"":                                "line 1: there is no command",
		"# a story":                       "line 1: there is no command",
		"    output":                      "line 1: output without a command above it",
		"nodes 3\n\n    output":           "line 3: output without a command above it",
		"nodes 3 ":                        "line 1: blanks at the end of a line",
		"nodes 3\n  post 1 \"x\"":         "line 2: a command begins the line, output stands four blanks in",
		"post 1 \"x\"":                    `line 1: "nodes" is the first command and only that`,
		"nodes 3\nnodes 3":                `line 2: "nodes" is the first command and only that`,
		"nodes":                           "line 1: usage: nodes COUNT [latency=50ms] [jitter=10ms] [loss=1%] [heal=3m] [seed=1]",
		"nodes 3 colour=red":              `line 1: option "colour": usage: nodes COUNT [latency=50ms] [jitter=10ms] [loss=1%] [heal=3m] [seed=1]`,
		"nodes 3 seed=1 seed=2":           `line 1: option "seed": usage: nodes COUNT [latency=50ms] [jitter=10ms] [loss=1%] [heal=3m] [seed=1]`,
		"nodes 3\n# then\nexplode 1":      `line 3: no command "explode"`,
		"nodes 3\nmend -> x":              "line 2: usage: mend: the partition and all cuts end",
		"nodes 3\npost 1 \"x":             "line 2: quoted text: invalid syntax",
		"nodes 3\npost 1 \"x\"y":          "line 2: no blank behind quoted text",
		"nodes 3\n\"post\" 1 \"x\"":       `line 2: no command "post"`,
		"nodes 3\npass":                   "line 2: usage: pass DURATION",
		"nodes 3\npost 1 \"x\" -> a -> b": `line 2: usage: post NODE "text" [reply=POST] [mention=NODE] [expires=1h] [-> POST]`,
	}
}

// A scenario is read strictly, and each mistake named with its line.
func TestParseScenario_mistakes(t *testing.T) {
	all := mistakes()
	all["nodes 3\n"+strings.Repeat("#", 1<<20)] = "line 1: 1048584 bytes, at most 1048576"
	for text, want := range all {
		_, err := nodetest.ParseScenario(text)
		var at *nodetest.ScenarioError
		if err == nil || err.Error() != want || !errors.As(err, &at) {
			t.Errorf("%.80q: %v, want %s", text, err, want)
		}
	}
}

// What is wrong only when a scenario is played has its line, too.
func TestScenario_mistakes(t *testing.T) {
	for text, want := range map[string]string{
		"nodes 0":                        `line 1: nodes: "0" nodes: want 1 to 10000`,
		"nodes 1 loss=100%":              `line 1: nodes: loss: "100%": want 0% up to less than 100%`,
		"nodes 1\n\npost 1 \"x\"":        `line 3: post: "1" are no nodes: there are 0-0`,
		"nodes 1\npost 0 x":              "line 2: post: a text stands in quotes",
		"nodes 1\nedit p \"x\"":          `line 2: edit: no post "p"`,
		"nodes 1\ntimeline 0 sky":        `line 2: timeline: "sky" is no timeline: want #tag, user:NODE, mentions:NODE, thread:POST or sequels:POST`,
		"nodes 1\npass 0s":               `line 2: pass: "0s" is no time to let pass`,
		"nodes 1\npartition 0 | 0":       "line 2: partition: somebody is on two sides",
		"nodes 1\nrestart 0":             "line 2: restart: node 0: it is running",
		"nodes 1\nstop 0\nstop 0":        "line 3: stop: node 0: it is not running",
		"nodes 1\ndisk 0 crooked":        `line 2: disk: node 0: no state of a disk: "crooked"`,
		"nodes 1\nplay 0 hamlet":         `line 2: play: node 0: no part: "hamlet"`,
		"nodes 1\nwatch 0 #sky":          "line 2: watch: a watch has a name, and no other the same",
		"nodes 1\nclock 0 -99999d":       `line 2: clock: "-99999d" is no number of days`,
		"nodes 1\nstop 0\npost 0 \"x\"":  `line 3: post: "0" is not one running node`,
		"nodes 1\nchatter 0 some #sky":   `line 2: chatter: "some" posts: want a number`,
		"nodes 1\nheard nobody":          `line 2: heard: no watch "nobody"`,
		"nodes 1\nslow 0":                `line 2: slow: rate="": want bytes a second`,
		"nodes 1\noneway 0 | others":     "line 2: oneway: a side names nobody",
		"nodes 1\npost 0 \"x\" reply=p2": `line 2: post: no post "p2"`,
	} {
		s, err := nodetest.ParseScenario(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		synctest.Test(t, func(t *testing.T) {
			if _, err := s.Run(t.Context(), t); err == nil || err.Error() != want {
				t.Errorf("%q: %v, want %s", text, err, want)
			}
		})
	}
}

// Whatever is read is written again as it was, and nothing makes the parser panic.
func FuzzParseScenario(f *testing.F) {
	paths, err := filepath.Glob("testdata/scenarios/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for text := range mistakes() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := nodetest.ParseScenario(text)
		if err != nil {
			return
		}
		if got := s.String(); got != strings.TrimSuffix(text, "\n")+"\n" {
			t.Errorf("%q is written as %q", text, got)
		}
	})
}

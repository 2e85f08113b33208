package nodetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Scenario is a story about a network, with what is done to it and what comes of
// that. It is text, so that whoever reads it learns how the network behaves:
//
//	# Two friends talk, and one of them goes away.
//	nodes 8 latency=50ms loss=1%
//	    8 nodes, seed 1
//
//	post 0 "good morning #sky" -> p1
//	    stored
//	kill 3 4
//	timeline all #sky
//	    0-2 5-7 read
//	      p1 "good morning #sky"
//
// A line that begins with # is prose, one that begins with four blanks is what the
// command above it printed, any other a command: words, quoted text, options as
// key=value, and a name to remember something by behind an arrow. Nodes are numbers
// and ranges of numbers, "all", or "others" for those not named before it. What the
// commands are tells the table in stage.go.
//
// What a command prints depends on nothing but the scenario: times, counts of members
// and the order of what happens at one moment are left out of it. So a scenario can be
// run and compared with itself.
type Scenario struct {
	steps []step
	tail  []string // prose and empty lines behind the last step
}

// A step is a command, what stands before it and what it printed.
type step struct {
	before []string // prose and empty lines
	line   int      // of the command, from 1
	text   string
	call   call
	output []string
}

// A call is a command taken apart.
type call struct {
	verb    string
	args    []word
	options map[string]string
	name    string // behind the arrow
}

// A word is one argument.
type word struct {
	text   string
	quoted bool
}

// outputIndent is what lines of output begin with.
const outputIndent = "    "

// Bounds of a scenario: it is written by hand.
const (
	maxScenario = 1 << 20 // bytes
	maxNodes    = 10_000
)

// A ScenarioError says what is wrong at which line of a scenario.
type ScenarioError struct {
	Line int // from 1
	Err  error
}

func (e *ScenarioError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

func (e *ScenarioError) Unwrap() error { return e.Err }

// ParseScenario reads a scenario. Every error is a [*ScenarioError].
func ParseScenario(text string) (*Scenario, error) {
	if len(text) > maxScenario {
		return nil, &ScenarioError{1, fmt.Errorf("%d bytes, at most %d", len(text), maxScenario)}
	}
	s := &Scenario{}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if err := s.add(i+1, line); err != nil {
			return nil, &ScenarioError{i + 1, err}
		}
	}
	if len(s.steps) == 0 {
		return nil, &ScenarioError{1, errors.New("there is no command")}
	}
	return s, nil
}

func (s *Scenario) add(number int, line string) error {
	switch {
	case strings.TrimRight(line, " \t") != line:
		return errors.New("blanks at the end of a line")
	case strings.HasPrefix(line, outputIndent):
		if len(s.steps) == 0 || len(s.tail) > 0 {
			return errors.New("output without a command above it")
		}
		last := &s.steps[len(s.steps)-1]
		last.output = append(last.output, strings.TrimPrefix(line, outputIndent))
		return nil
	case line == "", strings.HasPrefix(line, "#"):
		s.tail = append(s.tail, line)
		return nil
	case line[0] == ' ', line[0] == '\t':
		return errors.New("a command begins the line, output stands four blanks in")
	}
	c, err := parseCall(line)
	if err != nil {
		return err
	}
	if begins := c.verb == "nodes"; begins != (len(s.steps) == 0) {
		return errors.New(`"nodes" is the first command and only that`)
	}
	s.steps = append(s.steps, step{before: s.tail, line: number, text: line, call: c})
	s.tail = nil
	return nil
}

// String is the scenario as it is written.
func (s *Scenario) String() string {
	var b strings.Builder
	for _, st := range s.steps {
		for _, line := range st.before {
			b.WriteString(line + "\n")
		}
		b.WriteString(st.text + "\n")
		for _, line := range st.output {
			b.WriteString(outputIndent + line + "\n")
		}
	}
	for _, line := range s.tail {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// Run carries the scenario out in the synctest bubble that it is called in, and returns
// it with what was printed now. The network ends with t.
func (s *Scenario) Run(ctx context.Context, t T) (*Scenario, error) {
	t.Helper()
	g := newStage(t)
	defer g.close()
	out := &Scenario{steps: slices.Clone(s.steps), tail: s.tail}
	for i := range out.steps {
		st := &out.steps[i]
		printed, err := verbs()[st.call.verb].run(g, ctx, st.call)
		if err != nil {
			return nil, &ScenarioError{st.line, fmt.Errorf("%s: %w", st.call.verb, err)}
		}
		st.output = printed
	}
	return out, nil
}

// parseCall takes a command apart and checks it against its verb.
func parseCall(line string) (c call, err error) {
	words, err := split(line)
	if err != nil {
		return c, err
	}
	c = call{verb: words[0].text, options: map[string]string{}}
	v, known := verbs()[c.verb]
	if !known || words[0].quoted {
		return c, fmt.Errorf("no command %q", c.verb)
	}
	words = words[1:]
	if n := len(words); n >= 2 && words[n-2] == (word{text: "->"}) {
		c.name, words = words[n-1].text, words[:n-2]
	}
	for _, w := range words {
		key, value, isOption := strings.Cut(w.text, "=")
		if w.quoted || !isOption {
			c.args = append(c.args, w)
			continue
		}
		if _, twice := c.options[key]; twice || !slices.Contains(v.options, key) {
			return c, fmt.Errorf("option %q: usage: %s", key, v.usage)
		}
		c.options[key] = value
	}
	if len(c.args) < v.least || v.most > 0 && len(c.args) > v.most || c.name != "" && !v.names {
		return c, fmt.Errorf("usage: %s", v.usage)
	}
	return c, nil
}

// split splits a command at blanks outside of quotes.
func split(line string) (words []word, err error) {
	for rest := line; rest != ""; rest = strings.TrimLeft(rest, " ") {
		if rest[0] != '"' {
			w, _, _ := strings.Cut(rest, " ")
			words = append(words, word{text: w})
			rest = rest[len(w):]
			continue
		}
		quoted, err := strconv.QuotedPrefix(rest)
		if err != nil {
			return nil, fmt.Errorf("quoted text: %w", err)
		}
		rest = rest[len(quoted):]
		if rest != "" && rest[0] != ' ' {
			return nil, errors.New("no blank behind quoted text")
		}
		text, err := strconv.Unquote(quoted)
		if err != nil {
			return nil, fmt.Errorf("quoted text: %w", err)
		}
		words = append(words, word{text, true})
	}
	return words, nil
}

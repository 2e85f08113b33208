package nodetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// A verb is what a command of a scenario does.
type verb struct {
	usage       string
	least, most int      // arguments; no bound above when most is 0
	options     []string // that it knows
	names       bool     // something may be remembered by a name
	run         func(*stage, context.Context, call) ([]string, error)
}

// verbs are all commands. It is a function because the commands use it.
func verbs() map[string]verb {
	return map[string]verb{
		"nodes": {"nodes COUNT [latency=50ms] [jitter=10ms] [loss=1%] [heal=3m] [seed=1]", 1, 1, []string{"latency", "jitter", "loss", "heal", "seed"}, false, (*stage).nodes},

		"post":    {`post NODE "text" [reply=POST] [mention=NODE] [expires=1h] [-> POST]`, 2, 2, []string{"reply", "mention", "expires"}, true, (*stage).post},
		"edit":    {`edit POST "text" [via=NODE]`, 2, 2, []string{"via"}, false, (*stage).edit},
		"delete":  {"delete POST [via=NODE]", 1, 1, []string{"via"}, false, (*stage).remove},
		"chatter": {"chatter NODES COUNT #tag", 3, 0, nil, false, (*stage).chatter},

		"timeline": {"timeline NODES SOURCE", 2, 0, nil, false, (*stage).timeline},
		"count":    {"count NODES SOURCE", 2, 0, nil, false, (*stage).count},
		"read":     {"read NODES POST", 2, 0, nil, false, (*stage).read},
		"watch":    {"watch NODE SOURCE -> WATCH", 2, 2, nil, true, (*stage).watch},
		"heard":    {"heard WATCH", 1, 1, nil, false, (*stage).heard},
		"follow":   {"follow NODE SOURCE", 2, 2, nil, false, (*stage).follow},
		"home":     {"home NODES", 1, 0, nil, false, (*stage).home},

		"pass":      {"pass DURATION", 1, 1, nil, false, (*stage).pass},
		"partition": {"partition NODES | NODES …", 3, 0, nil, false, (*stage).partition},
		"oneway":    {"oneway NODES | NODES: what the first send does not reach the second", 3, 0, nil, false, (*stage).oneway},
		"mend":      {"mend: the partition and all cuts end", 0, 0, nil, false, (*stage).mend},
		"kill":      {"kill NODES: at once, without a goodbye", 1, 0, nil, false, (*stage).kill},
		"stop":      {"stop NODES: properly", 1, 0, nil, false, (*stage).stop},
		"restart":   {"restart NODES, with the disks they had", 1, 0, nil, false, (*stage).restart},
		"join":      {"join COUNT: new nodes", 1, 1, nil, false, (*stage).join},
		"pause":     {"pause NODES: frozen, as seen by others", 1, 0, nil, false, (*stage).pause},
		"resume":    {"resume NODES", 1, 0, nil, false, (*stage).resume},
		"slow":      {"slow NODES rate=BYTES a second", 1, 0, []string{"rate"}, false, (*stage).slow},
		"clock":     {"clock NODES OFFSET: +1d, -10m or 0", 2, 0, nil, false, (*stage).clock},
		"disk":      {"disk NODES full | unwritable | unreadable | well", 2, 0, nil, false, (*stage).disk},
		"play":      {"play NODES silent | forgetful | empty | honest", 2, 0, nil, false, (*stage).play},

		"audit": {"audit: does every member hold what its places should?", 0, 0, nil, false, (*stage).audit},
	}
}

// A stage is where a scenario is played.
type stage struct {
	t       T
	net     *Network
	posts   map[string]*posted
	names   map[records.ItemKey]string
	watches map[string]*hearer
	stored  []*records.Record // acknowledged by a majority of each place
}

// posted is a post that has a name, and its newest version as far as its author knows.
type posted struct {
	author *Node
	record *records.Record
}

func newStage(t T) *stage {
	return &stage{t: t, posts: map[string]*posted{}, names: map[records.ItemKey]string{}, watches: map[string]*hearer{}}
}

func (s *stage) close() {
	for _, w := range s.watches {
		w.stop()
	}
}

func (s *stage) nodes(_ context.Context, c call) ([]string, error) {
	count, err := strconv.Atoi(c.args[0].text)
	if err != nil || count < 1 || count > maxNodes {
		return nil, fmt.Errorf("%q nodes: want 1 to %d", c.args[0].text, maxNodes)
	}
	link := Link{Latency: 20 * time.Millisecond}
	heal, seed := 3*time.Minute, uint64(1)
	for key, value := range c.options {
		switch key {
		case "latency":
			link.Latency, err = time.ParseDuration(value)
		case "jitter":
			link.Jitter, err = time.ParseDuration(value)
		case "loss":
			link.Loss, err = share(value)
		case "heal":
			heal, err = time.ParseDuration(value)
		case "seed":
			seed, err = strconv.ParseUint(value, 10, 64)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	s.net = New(s.t, Config{
		Nodes: count, Keys: seed,
		Links: LinksConfig{Seed: seed, Link: func(int, int) Link { return link }},
		Tune:  func(_ int, c *starling.Config) { c.HealInterval = heal },
	})
	s.net.Settle()
	return []string{fmt.Sprintf("%d nodes, seed %d", count, seed)}, nil
}

// share reads a share of all: "2%".
func share(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !percent || !(f >= 0 && f < 100) {
		return 0, fmt.Errorf("%q: want 0%% up to less than 100%%", text)
	}
	return f / 100, nil
}

// node is the one running node that a word names.
func (s *stage) node(w string) (*Node, error) {
	ids, err := s.some([]word{{text: w}})
	if err != nil {
		return nil, err
	}
	if len(ids) != 1 || s.net.Nodes[ids[0]].gone {
		return nil, fmt.Errorf("%q is not one running node", w)
	}
	return s.net.Nodes[ids[0]], nil
}

// some are the nodes that words name, in ascending order.
func (s *stage) some(ws []word) (ids []int, err error) {
	for _, w := range ws {
		switch w.text {
		case "all":
			for _, x := range s.net.Running() {
				ids = append(ids, x.Index)
			}
			continue
		case "others":
			named := slices.Clone(ids)
			for _, x := range s.net.Running() {
				if !slices.Contains(named, x.Index) {
					ids = append(ids, x.Index)
				}
			}
			continue
		}
		from, to, isRange := strings.Cut(w.text, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.Atoi(from)
		last, err2 := strconv.Atoi(to)
		if w.quoted || err1 != nil || err2 != nil || first < 0 || last < first || last >= len(s.net.Nodes) {
			return nil, fmt.Errorf("%q are no nodes: there are 0-%d", w.text, len(s.net.Nodes)-1)
		}
		for i := first; i <= last; i++ {
			ids = append(ids, i)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// running are the running nodes of those that words name.
func (s *stage) running(ws []word) (xs []*Node, err error) {
	ids, err := s.some(ws)
	if err != nil {
		return nil, err
	}
	for _, i := range ids {
		if x := s.net.Nodes[i]; !x.gone {
			xs = append(xs, x)
		}
	}
	return xs, nil
}

// sides are the groups of nodes between bars. "others" alone are those that no other
// side names.
func (s *stage) sides(ws []word) (sides [][]int, err error) {
	named, rest := []int{}, -1
	for part := range splitSeq(ws, word{text: "|"}) {
		if len(part) == 1 && part[0].text == "others" && rest < 0 {
			rest = len(sides)
			sides = append(sides, nil)
			continue
		}
		ids, err := s.some(part)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(ids, func(i int) bool { return slices.Contains(named, i) }) {
			return nil, errors.New("somebody is on two sides")
		}
		named = append(named, ids...)
		sides = append(sides, ids)
	}
	for i := range s.net.Nodes {
		if rest >= 0 && !slices.Contains(named, i) {
			sides[rest] = append(sides[rest], i)
		}
	}
	if slices.ContainsFunc(sides, func(ids []int) bool { return len(ids) == 0 }) {
		return nil, errors.New("a side names nobody")
	}
	return sides, nil
}

// splitSeq yields the parts of a list between separators.
func splitSeq(ws []word, separator word) func(yield func([]word) bool) {
	return func(yield func([]word) bool) {
		for {
			i := slices.Index(ws, separator)
			if i < 0 {
				yield(ws)
				return
			}
			if !yield(ws[:i]) {
				return
			}
			ws = ws[i+1:]
		}
	}
}

// ranges writes nodes as they are written in scenarios.
func ranges(ids []int) string {
	var parts []string
	for i := 0; i < len(ids); {
		j := i
		for j+1 < len(ids) && ids[j+1] == ids[j]+1 {
			j++
		}
		part := strconv.Itoa(ids[i])
		if j > i {
			part += "-" + strconv.Itoa(ids[j])
		}
		parts = append(parts, part)
		i = j + 1
	}
	return strings.Join(parts, " ")
}

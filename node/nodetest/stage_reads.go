package nodetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"

	starling "github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// source is the timeline that a word names: #tag, user:NODE, mentions:NODE,
// thread:POST or sequels:POST.
func (s *stage) source(w word) (starling.Source, error) {
	kind, of, _ := strings.Cut(w.text, ":")
	switch kind {
	case "user", "mentions":
		i, err := strconv.Atoi(of)
		if err != nil || i < 0 || i >= len(s.net.Nodes) {
			return starling.Source{}, fmt.Errorf("%q is no node", of)
		}
		user := s.net.Nodes[i].config.Person.User()
		if kind == "user" {
			return starling.UserSource(user), nil
		}
		return starling.MentionSource(user), nil
	case "thread", "sequels":
		p, known := s.posts[of]
		if !known {
			return starling.Source{}, fmt.Errorf("no post %q", of)
		}
		if kind == "thread" {
			return starling.ThreadSource(p.record.Ref()), nil
		}
		return starling.SequelSource(p.record.Ref()), nil
	}
	tag, err := records.NormalizeTag(strings.TrimPrefix(w.text, "#"))
	if err != nil || !strings.HasPrefix(w.text, "#") {
		return starling.Source{}, fmt.Errorf("%q is no timeline: want #tag, user:NODE, mentions:NODE, thread:POST or sequels:POST", w.text)
	}
	return starling.TagSource(tag), nil
}

// A view is what one node reads, line by line.
type view struct {
	lines []string
	gap   bool
	twice int // posts read twice
}

// of reads a timeline to its end.
func (s *stage) view(timeline iter.Seq2[*records.Record, error]) (v view, err error) {
	seen := map[records.ItemKey]bool{}
	for r, err := range timeline {
		var missing *starling.GapError
		if errors.As(err, &missing) {
			v.gap = true
			continue
		}
		if err != nil {
			return v, err
		}
		if seen[r.ItemKey()] {
			v.twice++
		}
		seen[r.ItemKey()] = true
		if !r.Deleted() {
			v.lines = append(v.lines, s.describe(r))
		}
	}
	return v, nil
}

// describe is one line about a post.
func (s *stage) describe(r *records.Record) string {
	_, body, _ := r.Post()
	return strings.TrimLeft(fmt.Sprintf("%s %q", s.names[r.ItemKey()], body.Text), " ")
}

// all is far more than a scenario writes.
var all = starling.Range{Limit: starling.MaxTimeline}

// grouped reads on several nodes and prints each view once, behind those who have it.
func (s *stage) grouped(xs []*Node, read func(*Node) (heading string, lines []string, err error)) (out []string, err error) {
	readers := map[string][]int{}
	var order []string
	for _, x := range xs {
		heading, lines, err := read(x)
		if err != nil {
			return nil, fmt.Errorf("node %d: %w", x.Index, err)
		}
		for i := range lines {
			lines[i] = "  " + lines[i]
		}
		text := strings.Join(append([]string{heading}, lines...), "\n")
		if readers[text] == nil {
			order = append(order, text)
		}
		readers[text] = append(readers[text], x.Index)
	}
	for _, text := range order {
		out = append(out, strings.Split(ranges(readers[text])+" "+text, "\n")...)
	}
	return out, nil
}

func (s *stage) timeline(ctx context.Context, c call) ([]string, error) {
	return s.each(c, func(x *Node, source starling.Source) (string, []string, error) {
		v, err := s.view(x.Timeline(ctx, source, all))
		heading := "read"
		switch {
		case len(v.lines) == 0:
			heading = "read nothing"
		case v.twice > 0:
			heading = fmt.Sprintf("read, and %d posts twice,", v.twice)
		}
		if v.gap {
			heading += " and are told that posts may be missing"
		}
		return heading, v.lines, err
	})
}

func (s *stage) count(ctx context.Context, c call) ([]string, error) {
	return s.each(c, func(x *Node, source starling.Source) (string, []string, error) {
		v, err := s.view(x.Timeline(ctx, source, all))
		return fmt.Sprintf("read %d posts, %d of them twice", len(v.lines), v.twice), nil, err
	})
}

// each is a reading by nodes of a source.
func (s *stage) each(c call, read func(*Node, starling.Source) (string, []string, error)) ([]string, error) {
	last := len(c.args) - 1
	xs, err := s.running(c.args[:last])
	if err != nil {
		return nil, err
	}
	source, err := s.source(c.args[last])
	if err != nil {
		return nil, err
	}
	return s.grouped(xs, func(x *Node) (string, []string, error) { return read(x, source) })
}

func (s *stage) read(ctx context.Context, c call) ([]string, error) {
	last := len(c.args) - 1
	xs, err := s.running(c.args[:last])
	if err != nil {
		return nil, err
	}
	p, known := s.posts[c.args[last].text]
	if !known {
		return nil, fmt.Errorf("no post %q", c.args[last].text)
	}
	return s.grouped(xs, func(x *Node) (string, []string, error) {
		r, err := x.Post(ctx, p.record.Ref())
		switch {
		case errors.Is(err, starling.ErrNotFound):
			return "do not find it", nil, nil
		case err != nil:
			return "", nil, err
		case r.Deleted():
			return "find it deleted", nil, nil
		default:
			return "find " + s.describe(r), nil, nil
		}
	})
}

func (s *stage) follow(ctx context.Context, c call) ([]string, error) {
	x, err := s.node(c.args[0].text)
	if err != nil {
		return nil, err
	}
	source, err := s.source(c.args[1])
	if err != nil {
		return nil, err
	}
	return nil, x.Follow(ctx, source)
}

func (s *stage) home(ctx context.Context, c call) ([]string, error) {
	xs, err := s.running(c.args)
	if err != nil {
		return nil, err
	}
	return s.grouped(xs, func(x *Node) (string, []string, error) {
		v, err := s.view(x.Home(ctx, all))
		return "read at home", v.lines, err
	})
}

// A hearer is a watch that goes on.
type hearer struct {
	stop func()

	mu    sync.Mutex // protects heard
	heard []*records.Record
}

func (s *stage) watch(ctx context.Context, c call) ([]string, error) {
	x, err := s.node(c.args[0].text)
	if err != nil {
		return nil, err
	}
	source, err := s.source(c.args[1])
	if err != nil {
		return nil, err
	}
	if _, taken := s.watches[c.name]; taken || c.name == "" {
		return nil, errors.New("a watch has a name, and no other the same")
	}
	s.watches[c.name] = hear(ctx, x, source)
	return nil, nil
}

// hear watches until it is stopped.
func hear(ctx context.Context, x *Node, source starling.Source) *hearer {
	ctx, cancel := context.WithCancel(ctx)
	h := &hearer{}
	done := make(chan struct{})
	h.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		for e, err := range x.Watch(ctx, []starling.Source{source}, 0) {
			if err == nil && e.Record != nil && e.Live {
				h.mu.Lock()
				h.heard = append(h.heard, e.Record)
				h.mu.Unlock()
			}
		}
	}()
	return h
}

func (s *stage) heard(_ context.Context, c call) (out []string, err error) {
	w, known := s.watches[c.args[0].text]
	if !known {
		return nil, fmt.Errorf("no watch %q", c.args[0].text)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.heard {
		if r.Deleted() {
			out = append(out, s.names[r.ItemKey()]+" was deleted")
			continue
		}
		out = append(out, s.describe(r))
	}
	slices.Sort(out)
	if len(out) == 0 {
		return []string{"nothing"}, nil
	}
	return out, nil
}

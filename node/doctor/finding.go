package doctor

import (
	"context"
	"iter"
	"time"
)

// State is how bad something is.
type State string

// The states.
const (
	OK   State = "ok"
	Warn State = "warn" // works, and could work better, or may soon not
	Fail State = "fail" // does not work
)

// Finding is what one check came to.
type Finding struct {
	Check string `json:"check"`
	State State  `json:"state"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"` // unless all is well
}

// Check looks at one thing.
type Check struct {
	Name  string
	Limit time.Duration // 0 is [DefaultLimit]
	Look  func(ctx context.Context, say Say)
}

// Say reports what was found, and unless all is well what to do about it. A check may
// find several things.
type Say func(s State, found, do string)

// DefaultLimit is how long a check may take.
const DefaultLimit = 5 * time.Second

// maxFindings is how many of one check are kept.
const maxFindings = 256

// Examine runs all checks at once and yields what they find, in the order of the
// checks. A context that ends, ends them all.
func Examine(ctx context.Context, checks []Check) iter.Seq[Finding] {
	courses := make([]course, len(checks))
	ctx, cancel := context.WithCancel(ctx)
	for i, c := range checks {
		courses[i] = begin(ctx, c)
	}
	return func(yield func(Finding) bool) {
		defer cancel()
		for _, c := range courses {
			if !c.follow(yield) {
				return
			}
		}
	}
}

// course is a check under way.
type course struct {
	name  string
	found chan Finding // closed when it has come to its end
	over  <-chan struct{}
}

func begin(ctx context.Context, c Check) course {
	limit := c.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	out := course{c.Name, make(chan Finding, maxFindings), ctx.Done()} // a check does not wait for those before it to be read
	go func() {
		defer cancel()
		defer close(out.found)
		c.Look(ctx, out.say)
	}()
	return out
}

func (c course) say(s State, found, do string) {
	if s == OK {
		do = ""
	}
	select {
	case c.found <- Finding{c.name, s, found, do}:
	default: // there are more than anybody reads
	}
}

// follow yields what a check finds, and that it came to no end if it did not.
func (c course) follow(yield func(Finding) bool) bool {
	for {
		f, more, late := c.next()
		switch {
		case late:
			return yield(Finding{c.name, Warn, "this took too long", "try again; what hangs here may hang the node too"})
		case !more:
			return true
		case !yield(f):
			return false
		}
	}
}

// next is what a check found next. What it found in time counts, however late it is asked.
func (c course) next() (f Finding, more, late bool) {
	select {
	case f, more = <-c.found:
		return f, more, false
	case <-c.over:
	}
	select {
	case f, more = <-c.found:
		return f, more, false
	default:
		return f, false, true
	}
}

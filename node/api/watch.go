package api

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/starling-social/starling/node"
)

// Events of a watch, as server-sent events name them.
const (
	eventPost  = "post"  // data is a Post
	eventGap   = "gap"   // data is a Gap
	eventError = "error" // data is a Problem; the last one
	eventEnd   = "end"   // as many posts as were asked for have been sent
)

func (s *Server) watchOperations(stopping context.Context, a *operations) {
	live := answer{
		kinds: []string{eventStream}, endless: true, example: "id: AAAB…\nevent: post\ndata: {\"id\":\"p1UYY…\",\"text\":\"Hello\",\"live\":true}\n\n",
		text: "Events until the caller leaves: `post` with a Post, `gap` with a Gap where the caller was too slow, `error` with a Problem, " +
			"`end` when as many posts have come as were asked for. Comments are signs of life.",
	}
	stream(a, operation{
		route: "GET /v1/watch", id: "watchTimelines", group: groupLive, answer: live, codes: []Code{CodeBusy, CodeStopping},
		summary: "Hear timelines as they grow",
		text:    "The newest posts of some timelines, then those that arrive, edits and deletions too.",
	}, func(w http.ResponseWriter, r *http.Request, in *watched) error { return s.watch(stopping, w, r, in) })
	stream(a, operation{
		route: "GET /v1/home/watch", id: "watchHome", group: groupLive, answer: live, codes: []Code{CodeBusy, CodeStopping},
		summary: "Hear all that is followed",
		text:    "And what will be while the watch lasts.",
	}, func(w http.ResponseWriter, r *http.Request, in *WatchEnd) error {
		return s.stream(stopping, w, r, in.Limit, s.Node.WatchHome)
	})
}

// watched is what a watch is of.
type watched struct {
	Sources []string `query:"source,explode" required:"true" minItems:"1" maxItems:"64" doc:"Timelines, each named as in GET /v1/timeline." example:"[\"#starling\"]"`
	WatchEnd
}

// WatchEnd is the parameter that ends a watch.
type WatchEnd struct {
	Limit int `query:"limit" minimum:"1" maximum:"1073741824" doc:"Posts after which it ends; without it there is no end."`
}

// watch sends what arrives as server-sent events, until the caller leaves or the
// server ends. A slow caller is not waited for: the node counts what it missed.
func (s *Server) watch(stopping context.Context, w http.ResponseWriter, r *http.Request, in *watched) error {
	var sources []node.Source
	for _, name := range in.Sources {
		source, err := node.ParseSource(name, s.Node.User())
		if err != nil {
			return err
		}
		sources = append(sources, source)
	}
	return s.stream(stopping, w, r, in.Limit, func(ctx context.Context, most int) iter.Seq2[node.Event, error] {
		return s.Node.Watch(ctx, sources, most)
	})
}

// stream sends the events of a watch of the node, up to most posts; 0 is no bound.
func (s *Server) stream(stopping context.Context, w http.ResponseWriter, r *http.Request, most int,
	watch func(ctx context.Context, most int) iter.Seq2[node.Event, error],
) error {
	leave, err := enter(s.slotsFor(r.Context()).watches)
	if err != nil {
		return err
	}
	defer leave()
	patient(w)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(stopping, cancel)()
	w.Header().Set("Content-Type", eventStream)
	events := eventsOf(ctx, watch(ctx, most))
	defer func() { // events' goroutine ends before the node may
		cancel()
		for range events {
		}
	}()
	pump(stopping, w, events)
	return nil
}

const eventStream = "text/event-stream"

// event is one server-sent event.
type event struct {
	name string
	id   string // empty for none
	data any
}

// eventsOf are those of a watch; the channel is closed when it is over.
func eventsOf(ctx context.Context, watched iter.Seq2[node.Event, error]) <-chan event {
	out := make(chan event)
	go func() {
		defer close(out)
		send := func(e event) bool {
			select {
			case out <- e:
				return true
			case <-ctx.Done():
				return false
			}
		}
		for e, err := range watched {
			if err != nil {
				send(event{name: eventError, data: problemOf(err)})
				return
			}
			if !send(eventOf(e)) {
				return
			}
		}
		send(event{name: eventEnd, data: struct{}{}})
	}()
	return out
}

func eventOf(e node.Event) event {
	if e.Record == nil {
		return event{name: eventGap, data: Gap{Missed: e.Missed}}
	}
	p := postOf(e.Record)
	p.Live = &e.Live
	return event{name: eventPost, id: p.Cursor, data: p}
}

// pump writes events and, where there are none, heartbeats. The first one is sent
// at once, so that the caller knows that it is heard.
func pump(stopping context.Context, w http.ResponseWriter, events <-chan event) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	text := beatText
	for send(w, text) {
		select {
		case <-beat.C:
			text = beatText
		case e, more := <-events:
			if stopping.Err() != nil { // that is why there are no more, or will be none
				send(w, event{name: eventError, data: problem(CodeStopping, "the node is stopping")}.encode())
				return
			}
			if !more {
				return
			}
			text = e.encode()
		}
	}
}

const beatText = ":\n\n" // a comment, which clients ignore

// send writes and flushes; false when the caller left or does not read.
func send(w http.ResponseWriter, text string) bool {
	if _, err := fmt.Fprint(w, text); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil
}

func (e event) encode() string {
	b, err := json.Marshal(e.data)
	if err != nil { // our own types always encode
		panic(fmt.Sprintf("encode %T: %v", e.data, err))
	}
	id := ""
	if e.id != "" {
		id = "id: " + e.id + "\n"
	}
	return id + "event: " + e.name + "\ndata: " + string(b) + "\n\n"
}

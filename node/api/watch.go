package api

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"net/http"
	"slices"
	"strings"
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

const (
	eventStream  = "text/event-stream"
	retryTime    = 2 * time.Second // after which a browser comes back
	maxStrangers = 8               // sources that a stranger may watch at once
)

func (s *Server) watchOperations(stopping context.Context, a *operations) {
	live := answer{
		kinds: []string{eventStream}, endless: true, example: "id: AAAB…\nevent: post\ndata: {\"id\":\"p1UYY…\",\"text\":\"Hello\",\"live\":true}\n\n",
		text: "Events until the caller leaves: `post` with a Post, `gap` with a Gap where posts may be missing, `error` with a Problem, " +
			"`end` when as many posts have come as were asked for. Each has an id: who comes back with the last one goes on there. Comments are signs of life.",
	}
	stream(a, operation{
		route: "GET /v1/watch", id: "watchTimelines", group: groupLive, ready: true, answer: live, codes: []Code{CodeBusy, CodeStopping},
		summary: "Hear timelines as they grow",
		text:    "The newest posts of some timelines, then those that arrive, edits and deletions too.",
	}, func(w http.ResponseWriter, r *http.Request, in *watched) error { return s.watch(stopping, w, r, in) })
	stream(a, operation{
		route: "GET /v1/home/watch", id: "watchHome", group: groupLive, ready: true, answer: live, codes: []Code{CodeBusy, CodeStopping},
		summary: "Hear all that is followed",
		text:    "And what will be while the watch lasts.",
	}, func(w http.ResponseWriter, r *http.Request, in *WatchEnd) error {
		return s.stream(stopping, w, r, in, "home", func(ctx context.Context) iter.Seq2[node.Event, error] {
			return s.Node.WatchHome(ctx, 0)
		})
	})
}

// watched is what a watch is of.
type watched struct {
	Sources []string `query:"source,explode" required:"true" minItems:"1" maxItems:"64" doc:"Timelines, each named as in GET /v1/timeline." example:"[\"#starling\"]"`
	WatchEnd
}

// WatchEnd is where a watch begins and ends.
type WatchEnd struct {
	LastID string `header:"Last-Event-Id" doc:"Id of the last event that came before the connection was lost: what came since is sent. Where that is not kept any more, a gap says so."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1073741824" doc:"Posts after which it ends; without it there is no end."`
}

// watch sends what arrives as server-sent events, until the caller leaves or the
// server ends. A slow caller is not waited for: it is told how much it missed. One that
// comes back with the id of the last event that it had goes on there.
func (s *Server) watch(stopping context.Context, w http.ResponseWriter, r *http.Request, in *watched) error {
	if n := len(in.Sources); callerOf(r.Context()).public && n > maxStrangers {
		return problem(CodeBadRequest, "%d sources: a stranger may watch %d at once", n, maxStrangers)
	}
	var sources []node.Source
	for _, name := range in.Sources {
		source, err := node.ParseSource(name, s.Node.User())
		if err != nil {
			return err
		}
		sources = append(sources, source)
	}
	return s.stream(stopping, w, r, &in.WatchEnd, topicOf(sources), func(ctx context.Context) iter.Seq2[node.Event, error] {
		return s.Node.Watch(ctx, sources, 0)
	})
}

// topicOf is the same for the same sources, in whichever order.
func topicOf(sources []node.Source) string {
	var names []string
	for _, s := range sources {
		names = append(names, s.String())
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), " ")
}

// stream sends the events of a topic, as many as are asked for.
func (s *Server) stream(stopping context.Context, w http.ResponseWriter, r *http.Request, in *WatchEnd, name string, watch watching) error {
	who := callerOf(r.Context())
	leave, err := s.roomFor(r.Context()).watches.enter()
	if err != nil {
		return err
	}
	defer leave()
	if who.watch != nil {
		leave, ok := who.watch()
		if !ok {
			return over(limitWatchesFrom, CodeBusy, "%d watches are open from this address already", maxWatchesFrom)
		}
		defer leave()
	}
	o, err := s.hub.join(stopping, name, who.public, in.LastID, watch, &s.running)
	if err != nil {
		return err
	}
	defer o.leave()
	defer s.metrics.watching(who.public)()
	if o.left = in.Limit; o.left == 0 {
		o.left = math.MaxInt
	}
	patient(w)
	w.Header().Set("Content-Type", eventStream)
	o.run(stopping, r.Context(), w)
	return nil
}

// onlooker is one who watches a topic.
type onlooker struct {
	topic *topic
	at    mark
	gap   *Gap   // to be told of first; nil for none
	left  int    // posts until it has enough
	leave func() // to be called when it does
}

// run writes events and, where there are none, heartbeats. What comes first is sent at
// once, so that the caller knows that it is heard and has an id to come back with.
func (o *onlooker) run(stopping, asking context.Context, w http.ResponseWriter) {
	text := fmt.Sprintf(":\nretry: %d\nid: %s\n\n", retryTime.Milliseconds(), o.at)
	if o.gap != nil {
		text += event{eventGap, o.at.String(), o.gap}.encode()
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for why := gapAway; send(w, text); why = gapSlow {
		next := o.topic.after(&o.at, o.left, why)
		o.left -= next.posts
		switch text = next.text; {
		case stopping.Err() != nil: // that is why nothing more comes, or will
			o.last(w, text, eventError, problem(CodeStopping, "the node is stopping"))
			return
		case o.left == 0:
			o.last(w, text, eventEnd, struct{}{})
			return
		case text != "":
			continue
		case next.ended != nil:
			o.last(w, text, eventError, next.ended)
			return
		}
		select {
		case <-next.news:
		case <-beat.C:
			text = beatText
		case <-stopping.Done():
		case <-callerOf(asking).ended():
			o.last(w, text, eventError, problem(CodeUnauthorized, "the session has ended"))
			return
		case <-asking.Done():
			return
		}
	}
}

// last sends what is left, and the last event.
func (o *onlooker) last(w http.ResponseWriter, text, name string, data any) {
	send(w, text+event{name, o.at.String(), data}.encode())
}

// ended is closed when the session of a caller is; nil, if it has none.
func (c caller) ended() <-chan struct{} {
	if c.session == nil {
		return nil
	}
	return c.session.ended
}

const beatText = ":\n\n" // a comment, which clients ignore

// send writes and flushes; false when the caller left or does not read.
func send(w http.ResponseWriter, text string) bool {
	if text == "" {
		return true
	}
	if _, err := fmt.Fprint(w, text); err != nil {
		return false
	}
	return http.NewResponseController(w).Flush() == nil
}

// event is one server-sent event.
type event struct {
	name string
	id   string // empty for none
	data any
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

package node

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/starling-social/starling/protocol/exchange"
)

// Traces: the four flows as spans of OpenTelemetry, for those who give the node a
// provider ([Config.Traces]). Spans carry counts and outcomes and nothing of what was
// written, by whom, about what or where it went.

// tracerName is the name of this part as traces have it.
const tracerName = "github.com/starling-social/starling/node"

// span begins a step of a flow. Without a provider it costs a comparison.
func (n *Node) span(ctx context.Context, name string) (context.Context, trace.Span) {
	if n.tracer == nil {
		return ctx, noop.Span{}
	}
	return n.tracer.Start(ctx, name)
}

// end ends a span with its counts. An outcome that is not empty is what went wrong.
func end(s trace.Span, outcome string, counts ...tallied) {
	if !s.IsRecording() {
		return
	}
	for _, c := range counts {
		s.SetAttributes(attribute.Int("starling."+c.name, c.value))
	}
	if outcome != "" {
		s.SetStatus(codes.Error, outcome)
	}
	s.End()
}

// tallied is a count of a span.
type tallied struct {
	name  string
	value int
}

// endPublish ends the span of publishing.
func endPublish(s trace.Span, r Receipt, err error) {
	if !s.IsRecording() {
		return
	}
	members, stored, shown, full := 0, 0, 0, 0
	for _, p := range r.Places {
		members, stored, shown, full = members+p.Wanted, stored+p.Stored, shown+p.Shown, full+p.Full
	}
	outcome := ""
	if err != nil {
		outcome = publishOutcome(err)
	}
	end(s, outcome, tallied{"places", len(r.Places)}, tallied{"members", members}, tallied{"stored", stored}, tallied{"shown", shown}, tallied{"full", full})
}

// endPut ends the span of a put to another node, or to this one.
func endPut(s trace.Span, puts int, results []exchange.Result, err error) {
	if !s.IsRecording() {
		return
	}
	outcome, stored := "", 0
	if err != nil {
		outcome = refusal(err)
	}
	for _, r := range results {
		if word := putOutcome(r); word == "stored" || word == "held" {
			stored++
		}
	}
	end(s, outcome, tallied{"entries", puts}, tallied{"stored", stored})
}

// endCompare ends the span of a comparison with a neighbour.
func endCompare(s trace.Span, c *comparison, err error) {
	outcome := ""
	if err != nil {
		outcome = "broken_off"
	}
	end(s, outcome, tallied{"taken", c.taken}, tallied{"given", c.given})
}

// endFetch ends the span of a fetch.
func endFetch(s trace.Span, answers []exchange.Answer, queries int, err error) {
	if !s.IsRecording() {
		return
	}
	outcome, answered, shown := "", 0, 0
	if err != nil {
		outcome = refusal(err)
	}
	for _, a := range answers {
		if a.Err == nil {
			answered++
			shown += len(a.Bucket.Records)
		}
	}
	end(s, outcome, tallied{"buckets", queries}, tallied{"answered", answered}, tallied{"records", shown})
}

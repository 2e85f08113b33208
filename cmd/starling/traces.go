package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/starling-social/starling/node"
)

const (
	tracesPath = "/v1/traces"    // where collectors take them
	traceTime  = 5 * time.Second // for a batch to be taken, and for the last one when the node ends
)

// traceEndpoint is where spans are sent: as it is set, else as the environment says in
// OpenTelemetry's own words; empty for nowhere.
func (s traceSettings) endpoint(getenv func(string) string) (string, error) {
	if off, err := strconv.ParseBool(getenv("OTEL_SDK_DISABLED")); err == nil && off {
		return "", nil
	}
	text, whole := s.Endpoint, false
	if text == "" {
		text, whole = getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), true
	}
	if text == "" {
		text, whole = getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), false
	}
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%.200q: want a URL such as http://127.0.0.1:4318", text)
	}
	if !whole && !strings.HasSuffix(u.Path, tracesPath) {
		u.Path = strings.TrimSuffix(u.Path, "/") + tracesPath
	}
	return u.String(), nil
}

// tracing makes what sends spans, nil if they are to go nowhere, and what ends it.
// Sampling, batches and resource follow the variables of OpenTelemetry.
func (c *configured) tracing(ctx context.Context, getenv func(string) string, log *slog.Logger) (*trace.TracerProvider, func(), error) {
	endpoint, err := c.Trace.endpoint(getenv)
	if err != nil || endpoint == "" {
		return nil, func() {}, err
	}
	what, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "starling"), attribute.String("service.version", node.Version),
	), resource.WithFromEnv())
	if err != nil {
		return nil, func() {}, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are not taken", "err", err) }))
	p := trace.NewTracerProvider(trace.WithResource(what), trace.WithBatcher(&spanSender{
		endpoint: endpoint, header: headersOf(getenv("OTEL_EXPORTER_OTLP_HEADERS")), client: &http.Client{Timeout: traceTime},
	}))
	return p, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceTime)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			log.Warn("the last traces are not taken", "err", err)
		}
	}, nil
}

// headersOf reads name=value,name=value with values as in a URL.
func headersOf(text string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		if v, err := url.PathUnescape(strings.TrimSpace(value)); ok && err == nil {
			h.Set(strings.TrimSpace(name), v)
		}
	}
	return h
}

// A spanSender sends spans to a collector: OTLP over HTTP, in JSON. The usual exporter
// for the same raises golang.org/x/text, by which hashtags are normalised, and brings
// gRPC to send nothing with it.
type spanSender struct {
	endpoint string
	header   http.Header
	client   *http.Client
}

// ExportSpans sends a batch. What is not taken is given up: a node is not to wait for
// whoever watches it.
func (s *spanSender) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	body, err := json.Marshal(otlpOf(spans))
	if err != nil {
		return fmt.Errorf("encode traces: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send traces: %w", err)
	}
	req.Header = s.header.Clone()
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("send traces: %w", err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // so that the connection serves again
	err = errors.Join(err, resp.Body.Close())
	if resp.StatusCode/100 != 2 {
		err = fmt.Errorf("send traces: %s answers %s", s.endpoint, resp.Status)
	}
	return err
}

// Shutdown gives up idle connections.
func (s *spanSender) Shutdown(context.Context) error {
	s.client.CloseIdleConnections()
	return nil
}

// otlpOf is a batch as the protocol's JSON has it: identifiers in hexadecimal, 64-bit
// numbers in strings, names in camel case.
func otlpOf(spans []trace.ReadOnlySpan) map[string]any {
	var all []any
	for _, s := range spans {
		one := map[string]any{
			"traceId": s.SpanContext().TraceID().String(), "spanId": s.SpanContext().SpanID().String(),
			"name": s.Name(), "kind": int(s.SpanKind()),
			"startTimeUnixNano": nanos(s.StartTime()), "endTimeUnixNano": nanos(s.EndTime()),
			"attributes": otlpAttributes(s.Attributes()),
		}
		if s.Parent().IsValid() {
			one["parentSpanId"] = s.Parent().SpanID().String()
		}
		if status := s.Status(); status.Code == codes.Error {
			one["status"] = map[string]any{"code": 2, "message": status.Description}
		}
		all = append(all, one)
	}
	scope := spans[0].InstrumentationScope()
	return map[string]any{"resourceSpans": []any{map[string]any{
		"resource": map[string]any{"attributes": otlpAttributes(spans[0].Resource().Attributes())},
		"scopeSpans": []any{map[string]any{
			"scope": map[string]any{"name": scope.Name, "version": scope.Version}, "spans": all,
		}},
	}}}
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

func otlpAttributes(all []attribute.KeyValue) []any {
	out := []any{}
	for _, a := range all {
		value := map[string]any{"stringValue": a.Value.String()}
		if a.Value.Type() == attribute.INT64 {
			value = map[string]any{"intValue": strconv.FormatInt(a.Value.AsInt64(), 10)}
		}
		out = append(out, map[string]any{"key": string(a.Key), "value": value})
	}
	return out
}

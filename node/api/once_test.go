package api_test

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

// kept is what a key of the fake stands for.
type kept struct {
	draft   node.Draft
	receipt node.Receipt
}

func (f *fake) PublishOnce(ctx context.Context, key string, d node.Draft) (node.Receipt, bool, error) {
	f.mu.Lock()
	k, known := f.keys[key]
	f.mu.Unlock()
	if known {
		if !reflect.DeepEqual(k.draft, d) {
			return node.Receipt{}, true, node.ErrKeyReused
		}
		return k.receipt, true, nil
	}
	r, err := f.Publish(ctx, d)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys[key] = kept{d, r}
	return r, false, err
}

func (f *fake) Tags(prefix string) (out []records.Tag, err error) {
	for _, t := range []records.Tag{"sky", "skyline", "sea"} {
		if strings.HasPrefix(string(t), prefix) {
			out = append(out, t)
		}
	}
	return out, nil
}

// A request that is repeated under its key makes no second post, and one that is
// another has a code of its own.
func TestPublish_idempotencyKey(t *testing.T) {
	s := serve(t)
	publish := func(text string, header ...string) answer {
		return s.ask(t, http.MethodPost, "/v1/posts", `{"text":"`+text+`"}`, header...)
	}
	first, again := publish("one", "Idempotency-Key: k1"), publish("one", "Idempotency-Key: k1")
	if first.status != http.StatusCreated || again.status != http.StatusCreated || again.body != first.body {
		t.Errorf("first %d %s, then %d %s", first.status, first.body, again.status, again.body)
	}
	if first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("headers %v, then %v", first.header, again.header)
	}
	if again.header.Get("Location") == "" || again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("at %q, then at %q", first.header.Get("Location"), again.header.Get("Location"))
	}
	if got := publish("two", "Idempotency-Key: k1"); got.status != http.StatusUnprocessableEntity || !strings.Contains(got.body, string(api.CodeKeyReused)) {
		t.Errorf("another request: %d %s", got.status, got.body)
	}
	publish("two", "Idempotency-Key: k2")
	publish("two")
	for _, header := range []string{"Idempotency-Key:", "Idempotency-Key: a\r\nIdempotency-Key: b", "Idempotency-Key: " + strings.Repeat("x", node.MaxOnceKey+1)} {
		if got := publish("three", header); got.status != http.StatusBadRequest {
			t.Errorf("%.40q: %d %s", header, got.status, got.body)
		}
	}
	if n := len(s.drafts); n != 3 {
		t.Errorf("%d posts, want 3", n)
	}
}

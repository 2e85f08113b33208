package api_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/starling-social/starling/node/api"
)

// What the strict decoder takes, encoding/json reads in the same way; what it
// writes, the decoder takes.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"text":"x"}`, `{"text":"x","tags":["a"],"mentions":["me"],"reply_to":null}`, `{"a":[[{}]]}`, `{"text":1e400}`, "\ufeff{}", `{"text":"\ud800"}`} {
		f.Add(seed)
	}
	for _, refused := range []string{
		"", "null", "[]", "{", "{}{}", `{"text":}`, `{"text":"a","TEXT":"b"}`, "{\"text\":\"\xff\"}", `{"tags":[1}`, `{"tags":[[[1,`,
		`{"tags":` + strings.Repeat("[", 10) + strings.Repeat("]", 10) + "}", strings.Repeat(`{"text":`, 10) + strings.Repeat("}", 10),
	} {
		f.Add(refused)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := api.DecodeDraft(body)
		if err != nil {
			return
		}
		var want api.Draft
		if err := json.Unmarshal([]byte(body), &want); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %+v, but encoding/json says %+v, %v", body, got, want, err)
		}
		b, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := api.DecodeDraft(string(b)); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
	})
}

// Whatever a node sends, the reader of events ends and yields only whole ones.
func FuzzReadArrivals(f *testing.F) {
	f.Add(":\n\nid: a\nevent: post\ndata: {\"id\":\"p\"}\n\nevent: gap\ndata: {\"missed\":3}\n\nevent: end\ndata: {}\n\n")
	f.Add("event: error\ndata: {\"code\":\"stopping\"}\n\n")
	f.Add("event: post\n\ndata\n\n\r\n")
	f.Fuzz(func(t *testing.T, stream string) {
		arrivals, _ := api.ReadArrivals(strings.NewReader(stream))
		for _, a := range arrivals {
			if a.Post != nil && a.Gap != nil {
				t.Fatalf("an event is both a post and a gap: %q", stream)
			}
		}
	})
}

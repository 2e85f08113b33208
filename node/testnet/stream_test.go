package testnet_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/starling-social/starling/node/testnet"
)

const twoLines = `{"id":0,"time":1112911993000,"author":5,"text":"one\ntwo","tags":["go"],"mentions":[1],"reply_to":null}
{"id":1,"time":1112911993000,"author":0,"text":"","tags":[],"mentions":[],"reply_to":0}
`

func zipped(t testing.TB, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadStream(t *testing.T) {
	for name, in := range map[string][]byte{
		"plain":                 []byte(twoLines),
		"zipped":                zipped(t, twoLines),
		"no line break at end":  []byte(strings.TrimSpace(twoLines)),
		"line breaks of DOS":    []byte(strings.ReplaceAll(twoLines, "\n", "\r\n")),
		"fields of its own":     []byte(strings.ReplaceAll(twoLines, `"id"`, `"lang":"en","id"`)),
		"longest line there is": []byte(strings.ReplaceAll(twoLines, `"one\ntwo"`, `"one\ntwo"`+strings.Repeat(" ", 60_000))),
	} {
		lines, err := testnet.ReadStream(bytes.NewReader(in), 0)
		if err != nil || len(lines) != 2 || lines[0].Text != "one\ntwo" || *lines[1].ReplyTo != 0 {
			t.Errorf("%s: %+v, %v", name, lines, err)
		}
	}
	if lines, err := testnet.ReadStream(strings.NewReader(twoLines+"rubbish"), 2); err != nil || len(lines) != 2 {
		t.Errorf("what stands behind the limit was read: %v", err)
	}
}

// badStream is a stream with a mistake, and a part of what is said of it.
type badStream struct{ in, want string }

func badStreams(t testing.TB) map[string]badStream {
	whole := zipped(t, strings.Repeat(twoLines, 1))
	return map[string]badStream{
		"empty":             {"", "empty"},
		"empty, zipped":     {string(zipped(t, "")), "empty"},
		"not JSON":          {twoLines + "{", "line 3"},
		"empty line":        {twoLines + "\n" + twoLines, "line 3"},
		"not an object":     {"[]\n", "line 1"},
		"wrong type":        {`{"id":"0"}`, "line 1"},
		"line of 64 KiB":    {twoLines + strings.Repeat(" ", 64<<10) + "\n", "line 3: not a stream of posts: longer than 65536 bytes"},
		"endless line":      {strings.Repeat(" ", 1<<22), "line 1"},
		"id twice":          {strings.Repeat(twoLines, 2), "line 3: not a stream of posts: id 0 appears twice"},
		"reply to later":    {`{"id":0,"reply_to":1}`, "names no earlier line"},
		"reply to itself":   {`{"id":0,"reply_to":0}`, "names no earlier line"},
		"time before 1970":  {`{"id":0,"time":-1}`, "time -1"},
		"time too late":     {`{"id":0,"time":9223372036854775807}`, "milliseconds"},
		"number too large":  {`{"id":0,"time":1e400}`, "line 1"},
		"text of 4097":      {`{"id":0,"text":"` + strings.Repeat("x", 4097) + `"}`, "4097 bytes, at most 4096"},
		"not a tag":         {`{"id":0,"tags":["a b"]}`, "not a hashtag"},
		"cut gzip":          {string(whole[:len(whole)-10]), "ends in the middle"},
		"cut gzip header":   {string(whole[:5]), "gzip"},
		"damaged gzip":      {string(whole[:12]) + "\xff\xff\xff" + string(whole[15:]), "line 1"},
		"rubbish after zip": {string(whole) + "rubbish", "line 3"},
	}
}

// A bad line is named by its number, and nothing of the stream is used.
func TestReadStream_bad(t *testing.T) {
	for name, c := range badStreams(t) {
		t.Run(name, func(t *testing.T) {
			lines, err := testnet.ReadStream(strings.NewReader(c.in), 0)
			if !errors.Is(err, testnet.ErrStream) || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 300 {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if lines != nil {
				t.Errorf("%d lines came with the error", len(lines))
			}
		})
	}
}

func TestRun_badReplay(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "posts.jsonl")
	if err := os.WriteFile(file, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{file: testnet.ErrStream, filepath.Join(dir, "none"): os.ErrNotExist} {
		_, err := testnet.Run(t.Context(), testnet.Config{Nodes: 2, Neighbourhood: 1, Replay: name})
		if !errors.Is(err, want) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The demonstration is the same every time but for its dates, which are past, and
// is a stream as a file would hold it.
func TestDemo(t *testing.T) {
	now := time.UnixMilli(1_790_000_000_000)
	lines := testnet.Demo(300, now)
	if !reflect.DeepEqual(lines, testnet.Demo(300, now)) {
		t.Error("two demonstrations differ")
	}
	authors, replies := map[int]int{}, 0
	for i, l := range lines {
		authors[l.Author]++
		if l.ReplyTo != nil {
			replies++
			if *l.ReplyTo >= i {
				t.Errorf("line %d replies to line %d", i, *l.ReplyTo)
			}
		}
		if l.Time > now.UnixMilli() || l.ID != i || len(l.Tags) == 0 || !strings.Contains(l.Text, "#"+l.Tags[0]) {
			t.Errorf("line %+v", l)
		}
	}
	if len(authors) < 20 || authors[0] < 3*300/30 || replies < 50 {
		t.Errorf("%d authors, the busiest with %d posts; %d replies", len(authors), authors[0], replies)
	}
	if got := testnet.Demo(0, now); len(got) != 0 {
		t.Errorf("%d lines of none", len(got))
	}
}

// Whatever is in a file, reading it ends, and what passes is a stream.
func FuzzReadStream(f *testing.F) {
	f.Add([]byte(twoLines))
	f.Add(zipped(f, twoLines))
	for _, bad := range badStreams(f) {
		if len(bad.in) < 1<<20 {
			f.Add([]byte(bad.in))
		}
	}
	f.Add([]byte(`{"id":1,"tags":["é"],"reply_to":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		lines, err := testnet.ReadStream(bytes.NewReader(b), 100)
		if (err == nil) != (len(lines) > 0) {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		known := map[int]bool{}
		for _, l := range lines {
			if known[l.ID] || l.ReplyTo != nil && !known[*l.ReplyTo] {
				t.Fatalf("line %+v", l)
			}
			known[l.ID] = true
		}
	})
}

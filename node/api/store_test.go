package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records/archive"
)

// cellar is a store whose records are any bytes.
type cellar struct {
	shut chan struct{} // when set, Export waits for it

	mu       sync.Mutex // protects what follows
	entries  []archive.Entry
	selected node.Selection
	broken   error // after all entries
	imports  int
	most     int // entries that an import takes
}

var cellarHeader = archive.Header{Network: "api.00000000", Made: 1}

func (c *cellar) Export(_ context.Context, to io.Writer, sel node.Selection, _ func(int64)) (archive.Totals, error) {
	if c.shut != nil {
		<-c.shut
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.selected = sel
	w, err := archive.NewWriter(to, cellarHeader)
	for _, e := range c.entries {
		if err == nil {
			err = w.Write(e)
		}
	}
	if err = errors.Join(err, c.broken); err != nil {
		return archive.Totals{}, err
	}
	return w.Close(7)
}

func (c *cellar) Import(_ context.Context, from io.Reader, _ func(node.Imported)) (done node.Imported, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.imports++
	r, err := archive.NewReader(from)
	if err != nil {
		return done, err
	}
	if r.Header().Network != cellarHeader.Network {
		return done, fmt.Errorf("%w: %s", node.ErrOtherNetwork, r.Header().Network)
	}
	for {
		e, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return done, nil
		case err != nil:
			return done, err
		case c.most > 0 && len(c.entries) == c.most:
			return done, fmt.Errorf("merge: %w", node.ErrFull)
		case string(e.Bytes) == "bad":
			done.Refused++
			done.Reasons = append(done.Reasons, node.Refusal{Record: done.Records(), Err: errors.New("it is bad")})
			continue
		}
		done.New++
		c.entries = append(c.entries, archive.Entry{Bytes: bytes.Clone(e.Bytes), Standings: e.Standings})
	}
}

func (c *cellar) Stats() (node.StoreStats, error) {
	return node.StoreStats{Network: "api.00000000", Records: 6, Damaged: 1, Held: node.Use{Records: 2, Bytes: 3}}, nil
}

func archiveOf(t *testing.T, texts ...string) []byte {
	t.Helper()
	c := &cellar{}
	for _, s := range texts {
		c.entries = append(c.entries, archive.Entry{Bytes: []byte(s), Standings: []archive.Standing{{Class: archive.Held}}})
	}
	var b bytes.Buffer
	if _, err := c.Export(t.Context(), &b, node.Selection{}, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func many(n int) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprint("text ", i))
	}
	return texts
}

// An archive comes to the client as the store made it, with what was asked for.
func TestExport(t *testing.T) {
	s := serve(t)
	want := archiveOf(t, many(3000)...)
	if _, err := s.Import(t.Context(), bytes.NewReader(want), nil); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	told := int64(0)
	totals, err := s.client(t).Export(t.Context(), &got, api.Selection{Users: []string{"me", somebody.User().String()}, Tags: []string{"#Go"}}, func(n int64) { told = n })
	if err != nil || totals.Entries != 3000 || totals.Unreadable != 7 || told < 2500 {
		t.Fatalf("%+v, %v, told %d", totals, err, told)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("not the archive that the store made")
	}
	if len(s.selected.Users) != 2 || s.selected.Users[0] != me.User() || s.selected.Tags[0] != "go" {
		t.Errorf("asked for %+v", s.selected)
	}
}

// An archive that the store could not finish is nobody's whole one.
func TestExport_broken(t *testing.T) {
	s := serve(t)
	s.broken = errors.New("the disk is out")
	if _, err := s.client(t).Export(t.Context(), io.Discard, api.Selection{}, nil); !errors.Is(err, api.ErrNotRunning) {
		t.Errorf("client: %v", err)
	}
	if got := s.ask(t, http.MethodGet, "/v1/store/archive", "").body; strings.HasSuffix(got, "0\r\n\r\n") {
		t.Error("the answer ends as if it were whole")
	}
}

// What is imported goes in pieces, and what became of all of them is added up.
func TestImport(t *testing.T) {
	s := serve(t)
	texts := many(3000)
	texts[1], texts[2500] = "bad", "bad"
	var told []api.Imported
	done, err := s.client(t).Import(t.Context(), bytes.NewReader(archiveOf(t, texts...)), func(i api.Imported) { told = append(told, i) })
	if err != nil || done.New != 2998 || done.Refused != 2 || s.imports < 3 || len(told) != s.imports {
		t.Fatalf("%+v, %v, in %d pieces", done, err, s.imports)
	}
	if want := []api.Refusal{{Record: 2, Reason: "it is bad"}, {Record: 2501, Reason: "it is bad"}}; !slices.Equal(done.Reasons, want) {
		t.Errorf("refused %+v, want %+v", done.Reasons, want)
	}
	if done, err := s.client(t).Import(t.Context(), bytes.NewReader(archiveOf(t)), func(api.Imported) {}); err != nil || done.New != 0 {
		t.Errorf("an empty archive: %+v, %v", done, err)
	}
}

// What comes before a damage, or before the store is full, is merged, and it is said
// where that is.
func TestImport_problems(t *testing.T) {
	good := archiveOf(t, many(1500)...)
	hurt := bytes.Clone(good)
	hurt[len(hurt)-60] ^= 1 // of the last record
	foreign := bytes.Replace(archiveOf(t), []byte("api."), []byte("abc."), 1)
	cable := errors.New("the cable is out")
	for name, c := range map[string]struct {
		from io.Reader
		most int
		new  int64
		want func(error) bool
	}{
		"damaged":   {bytes.NewReader(hurt), 0, 1499, damaged},
		"cut":       {bytes.NewReader(good[:len(good)-100]), 0, 1498, func(err error) bool { return errors.Is(err, archive.ErrCut) }},
		"broken":    {io.MultiReader(bytes.NewReader(good[:len(good)/2]), iotest.ErrReader(cable)), 0, whole(t, good[:len(good)/2]), func(err error) bool { return errors.Is(err, cable) }},
		"full":      {bytes.NewReader(good), 1200, 1200, problemIs(api.CodeFull)},
		"none":      {strings.NewReader("hello"), 0, 0, func(err error) bool { return errors.Is(err, archive.ErrNotArchive) }},
		"another's": {bytes.NewReader(foreign), 0, 0, damaged},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			s.most = c.most
			done, err := s.client(t).Import(t.Context(), c.from, func(api.Imported) {})
			if !c.want(err) || done.New != c.new || int64(len(s.entries)) != c.new {
				t.Fatalf("%+v, %v, %d in the store; want %d", done, err, len(s.entries), c.new)
			}
		})
	}
}

// whole is how many records of a part of an archive are whole.
func whole(t *testing.T, part []byte) (n int64) {
	t.Helper()
	r, err := archive.NewReader(bytes.NewReader(part))
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := r.Next(); err != nil {
			return n
		}
		n++
	}
}

func damaged(err error) bool {
	var d *archive.DamageError
	return errors.As(err, &d)
}

func problemIs(code api.Code) func(error) bool {
	return func(err error) bool {
		var p *api.Problem
		return errors.As(err, &p) && p.Code == code
	}
}

// The routes of the store, as a program in another language uses them.
func TestStore_routes(t *testing.T) {
	s := serve(t)
	if got := s.ask(t, http.MethodGet, "/v1/store", "").body; !strings.Contains(got, `"network_id":"api.00000000","records":6,`) || !strings.Contains(got, `"held":{"records":2,"bytes":3}`) {
		t.Errorf("stats %s", got)
	}
	const kind = "Content-Type: application/vnd.starling.archive"
	var other bytes.Buffer
	w, err := archive.NewWriter(&other, archive.Header{Network: "other.00000000"})
	if err == nil {
		_, err = w.Close(0)
	}
	if err != nil {
		t.Fatal(err)
	}
	large := string(archiveOf(t, many(20_000)...)) // more than any other body may have
	for name, c := range map[string]struct {
		method, query, body, header string
		status                      int
		want                        string
	}{
		"an archive":      {http.MethodPost, "", large, kind, http.StatusOK, `{"new":20000,"had":0,"refused":0,"reasons":[]}`},
		"a cut one":       {http.MethodPost, "", large[:len(large)-1], kind, http.StatusUnprocessableEntity, `"imported":{"new":20000,`},
		"no archive":      {http.MethodPost, "", "hello", kind, http.StatusUnsupportedMediaType, `"code":"not_archive"`},
		"another network": {http.MethodPost, "", other.String(), kind, http.StatusConflict, `"code":"other_network"`},
		"JSON":            {http.MethodPost, "", "{}", "Content-Type: application/json", http.StatusUnsupportedMediaType, "application/vnd.starling.archive"},
		"no such user":    {http.MethodGet, "?user=ann", "", kind, http.StatusBadRequest, `"code":"bad_request"`},
		"no such query":   {http.MethodGet, "?all=1", "", kind, http.StatusBadRequest, "there are: user, tag"},
		"another method":  {http.MethodPut, "", "x", kind, http.StatusMethodNotAllowed, "GET, POST"},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.ask(t, c.method, "/v1/store/archive"+c.query, c.body, c.header)
			if got.status != c.status || !strings.Contains(got.body, c.want) {
				t.Errorf("%d %s, want %d and %s", got.status, got.body, c.status, c.want)
			}
		})
	}
}

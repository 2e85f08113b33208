package api

import (
	"context"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/archive"
)

// Archivist is what a node keeps.
type Archivist interface {
	Export(ctx context.Context, to io.Writer, sel node.Selection, progress func(records int64)) (archive.Totals, error)
	Import(ctx context.Context, from io.Reader, progress func(node.Imported)) (node.Imported, error)
	Stats() (node.StoreStats, error)
}

const (
	storePath   = "/v1/store"
	archivePath = "/v1/store/archive"
	archiveType = "application/vnd.starling.archive"
)

// Selection says which records an archive is of: those of one of the users or with
// one of the tags, or all if it names none.
type Selection struct {
	Users []string `query:"user,explode" doc:"Authors of records, or me."`
	Tags  []string `query:"tag,explode" doc:"Hashtags of posts, with or without #."`
}

// Of reads the names in a selection, with me for the node's owner.
func (s Selection) Of(me records.User) (out node.Selection, err error) {
	for _, name := range s.Users {
		u, err := node.ParseUser(name, me)
		if err != nil {
			return node.Selection{}, err
		}
		out.Users = append(out.Users, u)
	}
	for _, name := range s.Tags {
		t, err := records.NormalizeTag(name)
		if err != nil {
			return node.Selection{}, err
		}
		out.Tags = append(out.Tags, t)
	}
	return out, nil
}

func (s Selection) query() url.Values { return url.Values{"user": s.Users, "tag": s.Tags} }

// Imported is what became of the records of an archive.
type Imported struct {
	New     int64     `json:"new" doc:"Records that were not there, or only in older versions."`
	Had     int64     `json:"had" doc:"Records that were there, or newer versions of them."`
	Refused int64     `json:"refused" doc:"Records that did not pass."`
	Reasons []Refusal `json:"reasons" doc:"Why, of the first of those."`
}

// Refusal is why a record of an archive was refused.
type Refusal struct {
	Record int64  `json:"record" doc:"Which record of the archive, counted from 1."`
	Reason string `json:"reason" doc:"What was wrong with it."`
}

// ImportedOf is how the API tells of an import.
func ImportedOf(i node.Imported) Imported {
	out := Imported{New: i.New, Had: i.Had, Refused: i.Refused, Reasons: []Refusal{}}
	for _, r := range i.Reasons {
		out.Reasons = append(out.Reasons, Refusal{r.Record, r.Err.Error()})
	}
	return out
}

// Use is what the store keeps for one reason.
type Use struct {
	Records int64 `json:"records" doc:"Records."`
	Bytes   int64 `json:"bytes" doc:"Bytes."`
}

// StoreStats is what the store holds.
type StoreStats struct {
	NetworkID string `json:"network_id" doc:"Of which network." example:"main.1f3a5b7c"`
	Records   int64  `json:"records" doc:"Records kept."`
	Places    int64  `json:"places" doc:"Places that have any."`
	Entries   int64  `json:"entries" doc:"Records at places, over all places."`
	Displaced int64  `json:"displaced" doc:"Entries on their way down."`
	Damaged   int64  `json:"damaged" doc:"Records put aside, to be fetched again."`
	Bytes     int64  `json:"bytes" doc:"Bytes of keys and values."`
	Files     int64  `json:"files" doc:"Bytes that the files take; 0 in memory."`
	Own       Use    `json:"own" doc:"What the owner signed."`
	Held      Use    `json:"held" doc:"What the node is responsible for."`
	Followed  Use    `json:"followed" doc:"Copies of what is followed."`
	Cached    Use    `json:"cached" doc:"Copies of hot places."`
}

// StoreStatsOf is how the API tells of a store.
func StoreStatsOf(s node.StoreStats) StoreStats {
	return StoreStats{
		NetworkID: s.Network, Records: s.Records, Places: s.Places, Entries: s.Entries, Displaced: s.Displaced, Damaged: s.Damaged,
		Bytes: s.Bytes, Files: s.Files, Own: Use(s.Own), Held: Use(s.Held), Followed: Use(s.Followed), Cached: Use(s.Cached),
	}
}

func (s *Server) storeOperations(stopping context.Context, a *operations) {
	add(a, operation{
		route: "GET /v1/store", id: "getStore", group: groupStore,
		summary: "What the node keeps",
		text:    "Records and bytes, and for whom they are kept.",
	}, s.storeStats)
	stream(a, operation{
		route: "GET /v1/store/archive", id: "exportArchive", group: groupStore, ready: true,
		summary: "Save what the node keeps",
		text:    "All records, or those of one of the users or with one of the tags. An archive that broke off has no trailer, and is not taken for whole.",
		codes:   []Code{CodeBusy},
		answer:  answer{kinds: []string{archiveType}, text: "An archive, as it is made.", endless: true},
	}, func(w http.ResponseWriter, r *http.Request, in *Selection) error {
		return s.archive(stopping, w, r, func(ctx context.Context) error { return s.export(ctx, w, *in) })
	})
	stream(a, operation{
		route: "POST /v1/store/archive", id: "importArchive", group: groupStore, ready: true,
		summary: "Bring back what was saved",
		text:    "Merges an archive, of any size and as it comes. What was merged before something went wrong is told with the problem, in `imported`.",
		codes:   []Code{CodeBusy, CodeNotArchive, CodeOtherNetwork, CodeDamaged, CodeFull},
		answer:  answer{json: Imported{}, text: "What became of the records."}, takes: archiveType,
	}, func(w http.ResponseWriter, r *http.Request, _ *nothing) error {
		return s.archive(stopping, w, r, func(ctx context.Context) error { return s.importArchive(ctx, w, r) })
	})
}

func (s *Server) storeStats(context.Context, *nothing) (*body[StoreStats], error) {
	stats, err := s.Store.Stats()
	if err != nil {
		return nil, err
	}
	return &body[StoreStats]{StoreStatsOf(stats)}, nil
}

// archive does something long, which ends with the server.
func (s *Server) archive(stopping context.Context, w http.ResponseWriter, r *http.Request, do func(context.Context) error) error {
	leave, err := s.archives.enter()
	if err != nil {
		return err
	}
	defer leave()
	patient(w)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(stopping, cancel)()
	return do(ctx)
}

// export sends an archive as it is made. One that fails has no trailer, and its
// connection breaks: nobody takes it for whole.
func (s *Server) export(ctx context.Context, w http.ResponseWriter, in Selection) error {
	sel, err := in.Of(s.Node.User())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", archiveType)
	if http.NewResponseController(w).Flush() != nil { // a small selection of a large store takes its time
		return nil
	}
	if _, err := s.Store.Export(ctx, w, sel, nil); err != nil {
		if ctx.Err() == nil {
			s.Log.Warn("archive is not complete", "err", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// importArchive reads an archive as it comes. What was merged before something went
// wrong is told with the problem.
func (s *Server) importArchive(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != archiveType {
		return problem(CodeNotArchive, "send the body with Content-Type: %s", archiveType)
	}
	done, err := s.Store.Import(ctx, &promptReader{Reader: r.Body, w: w}, nil)
	out := ImportedOf(done)
	if err != nil {
		p := *problemOf(err)
		p.Imported = &out
		return &p
	}
	write(w, http.StatusOK, jsonType, out)
	return nil
}

// promptReader bounds how long the caller may take for each promptPart. What is done
// with it meanwhile takes its own time.
type promptReader struct {
	io.Reader
	w     http.ResponseWriter
	left  int           // bytes of the part
	spent time.Duration // waiting for it
}

func (r *promptReader) Read(b []byte) (int, error) {
	if r.left <= 0 {
		r.left, r.spent = promptPart, 0
	}
	began := time.Now()
	_ = http.NewResponseController(r.w).SetReadDeadline(began.Add(bodyTime - r.spent)) // net/http's own connections can
	n, err := r.Reader.Read(b)
	patient(r.w)
	r.left -= n
	r.spent += time.Since(began)
	return n, err
}

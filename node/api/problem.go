package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/archive"
)

// Problem is an error as RFC 9457 writes it.
type Problem struct {
	Type   string  `json:"type" doc:"urn:starling:problem: and the code." example:"urn:starling:problem:bad_request"`
	Title  string  `json:"title" doc:"What the code means, in words that may change." example:"The request makes no sense"`
	Status int     `json:"status" doc:"The status of the answer." example:"400"`
	Detail string  `json:"detail,omitempty" doc:"What happened this time, for people." example:"query.limit: expected number >= 1"`
	Code   Code    `json:"code" doc:"What a program branches on. It keeps its meaning between versions." example:"bad_request"`
	Limit  string  `json:"limit,omitempty" doc:"Which limit was reached: one that GET /v1/limits has, or a setting of the node." example:"requests.page_posts"`
	Errors []Fault `json:"errors,omitempty" doc:"Of bad_request: what is wrong with which parts of the request."`

	Receipt  *Receipt  `json:"receipt,omitempty" doc:"Of no_quorum: where the record is, as far as is known."`
	Stands   *Register `json:"stands,omitempty" doc:"Of a register that was not written: the version that stands instead."`
	Imported *Imported `json:"imported,omitempty" doc:"Of an archive that was not read to its end: what was merged before."`
}

// Fault is one thing that is wrong with a request.
type Fault struct {
	Location string `json:"location" doc:"Where it is: in: path, query, header or body, and the name." example:"query.limit"`
	Detail   string `json:"detail" doc:"What is wrong with it." example:"expected number >= 1"`
}

// GetStatus is that of the answer.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders says when to come again, where that helps.
func (p *Problem) GetHeaders() http.Header {
	if p.Code != CodeBusy {
		return nil
	}
	return http.Header{"Retry-After": {strconv.Itoa(retryAfter)}}
}

const retryAfter = 1 // seconds: slots are taken for a fraction of that

// ContentType is that of RFC 9457.
func (p *Problem) ContentType(string) string { return problemType }

// Error is the sentence for people.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}

// maxDetail bounds how much of a hostile input an answer repeats.
const maxDetail = 500 // bytes

func problem(c Code, detail string, args ...any) *Problem {
	d := fmt.Sprintf(detail, args...)
	if len(d) > maxDetail {
		d = d[:maxDetail] + "…"
	}
	return &Problem{Type: "urn:starling:problem:" + string(c), Title: kinds[c].title, Status: kinds[c].status, Detail: d, Code: c}
}

// over is a problem because a limit was reached, see limitNames.
func over(limit string, c Code, detail string, args ...any) *Problem {
	p := problem(c, detail, args...)
	p.Limit = limit
	return p
}

// codes say what an error of the node means to a caller, and of which limit it is.
var codes = []struct {
	err   error
	code  Code
	limit string
}{
	{node.ErrNoQuorum, CodeNoQuorum, ""},
	{node.ErrKeyReused, CodeKeyReused, ""},
	{node.ErrNotFound, CodeNotFound, ""},
	{node.ErrNoRegister, CodeNotFound, ""},
	{node.ErrNoAnswer, CodeIncomplete, ""},
	{node.ErrManyClaims, CodeIncomplete, ""},
	{node.ErrNotYours, CodeNotYours, ""},
	{records.ErrConflict, CodeConflict, ""},
	{records.ErrHaveNewer, CodeHaveNewer, ""},
	{records.ErrTooOld, CodeTooOld, ""},
	{records.ErrExpired, CodeExpired, ""},
	{records.ErrNotRegister, CodeBadRequest, ""},
	{node.ErrDeleted, CodeDeleted, ""},
	{node.ErrTextSize, CodeTooLarge, limitText},
	{node.ErrManyTags, CodeTooLarge, limitPlaces},
	{records.ErrTooLarge, CodeTooLarge, limitRecord},
	{node.ErrNotSource, CodeBadRequest, ""},
	{node.ErrThread, CodeThread, ""},
	{node.ErrManyFollowed, CodeManyFollowed, limitFollowed},
	{records.ErrNotUser, CodeBadRequest, ""},
	{records.ErrNotPost, CodeBadRequest, ""},
	{records.ErrNotTag, CodeBadRequest, ""},
	{records.ErrNotCursor, CodeBadRequest, ""},
	{records.ErrMalformed, CodeBadRequest, ""},
	{archive.ErrNotArchive, CodeNotArchive, ""},
	{archive.ErrNewer, CodeNotArchive, ""},
	{node.ErrOtherNetwork, CodeOtherNetwork, ""},
	{node.ErrQuota, CodeFull, limitQuota},
	{node.ErrFloor, CodeFull, limitFloor},
	{node.ErrFull, CodeFull, ""}, // the disk itself
	{node.ErrStopped, CodeStopping, ""},
	{context.Canceled, CodeStopping, ""},
	{context.DeadlineExceeded, CodeTimeout, ""},
}

// problemOf turns any error into a problem.
func problemOf(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var gap *node.GapError
	if errors.As(err, &gap) && !errors.Is(err, node.ErrNotFound) {
		return problem(CodeIncomplete, "%v", err)
	}
	var damage *archive.DamageError
	if errors.As(err, &damage) {
		return problem(CodeDamaged, "%v", err)
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return over(c.limit, c.code, "%v", err)
		}
	}
	return problem(CodeInternal, "%v", err)
}

const problemType = "application/problem+json"

func writeProblem(w http.ResponseWriter, p *Problem) {
	maps.Copy(w.Header(), p.GetHeaders())
	write(w, p.Status, problemType, p)
}

// write answers with v.
func write(w http.ResponseWriter, status int, contentType string, v any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_ = encode(w, v) // it has none
}

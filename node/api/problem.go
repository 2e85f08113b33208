package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
	"github.com/starling-social/starling/records/archive"
)

// Problem is an error as RFC 9457 writes it. Its code is what a program branches
// on; it does not change between versions.
type Problem struct {
	Type   string `json:"type"` // urn:starling:problem:<code>
	Title  string `json:"title"`
	Status int    `json:"status"` // of HTTP
	Detail string `json:"detail,omitempty"`
	Code   Code   `json:"code"`

	Receipt  *Receipt  `json:"receipt,omitempty"`  // of a post that too few members acknowledged
	Stands   *Register `json:"stands,omitempty"`   // of a register: the version that stands instead
	Imported *Imported `json:"imported,omitempty"` // of an archive that could not be read to its end
}

// Code names a kind of problem.
type Code string

// The codes.
const (
	CodeBadRequest   Code = "bad_request"        // what was sent makes no sense; detail says where
	CodeUnauthorized Code = "unauthorized"       // no token, or not this node's
	CodeForbidden    Code = "forbidden"          // a web page, or a name that is not ours
	CodeNotFound     Code = "not_found"          // no such route, or no such post
	CodeMethod       Code = "method_not_allowed" // the route has other methods
	CodeNotYours     Code = "not_yours"          // the post is another's
	CodeDeleted      Code = "deleted"            // the post was deleted
	CodeTooLarge     Code = "too_large"          // body, text or number of places
	CodeMediaType    Code = "not_json"           // the body is not declared as JSON
	CodeNotArchive   Code = "not_archive"        // the body is not declared as an archive, is none, or one of a newer version
	CodeOtherNetwork Code = "other_network"      // the archive is of another network
	CodeDamaged      Code = "damaged"            // the archive is; detail says where; see imported
	CodeFull         Code = "full"               // the store has no room; see imported
	CodeThread       Code = "not_followable"     // a thread cannot be followed
	CodeManyFollowed Code = "many_followed"      // the follow list is full
	CodeConflict     Code = "conflict"           // another version of the register stands than was expected
	CodeHaveNewer    Code = "have_newer"         // a newer one does
	CodeTooOld       Code = "too_old"            // one of a later certificate epoch does
	CodeExpired      Code = "expired"            // the version is past its time
	CodeBusy         Code = "busy"               // too many requests at once
	CodeManyRequests Code = "too_many_requests"  // within some time; Retry-After says when to come again
	CodeNoQuorum     Code = "no_quorum"          // too few members acknowledged; see receipt
	CodeIncomplete   Code = "incomplete"         // nobody answered for a part of the timeline
	CodeStopping     Code = "stopping"           // the node is going down
	CodeTimeout      Code = "timeout"            // the network took too long
	CodeInternal     Code = "internal"           // a fault of ours
)

var kinds = map[Code]struct {
	status int
	title  string
}{
	CodeBadRequest:   {http.StatusBadRequest, "The request makes no sense"},
	CodeUnauthorized: {http.StatusUnauthorized, "The token is missing or wrong"},
	CodeForbidden:    {http.StatusForbidden, "This address serves its owner alone"},
	CodeNotFound:     {http.StatusNotFound, "There is no such thing"},
	CodeMethod:       {http.StatusMethodNotAllowed, "The route has other methods"},
	CodeNotYours:     {http.StatusForbidden, "The post is another's"},
	CodeDeleted:      {http.StatusConflict, "The post was deleted"},
	CodeTooLarge:     {http.StatusRequestEntityTooLarge, "That is too much"},
	CodeMediaType:    {http.StatusUnsupportedMediaType, "The body must be application/json"},
	CodeThread:       {http.StatusUnprocessableEntity, "This cannot be followed"},
	CodeManyFollowed: {http.StatusConflict, "The follow list is full"},
	CodeNotArchive:   {http.StatusUnsupportedMediaType, "The body must be an archive"},
	CodeOtherNetwork: {http.StatusConflict, "The archive is of another network"},
	CodeDamaged:      {http.StatusUnprocessableEntity, "The archive is damaged"},
	CodeFull:         {http.StatusInsufficientStorage, "The store has no room"},
	CodeConflict:     {http.StatusConflict, "Another version stands"},
	CodeHaveNewer:    {http.StatusConflict, "A newer version stands"},
	CodeTooOld:       {http.StatusConflict, "A version of a later epoch stands"},
	CodeExpired:      {http.StatusGone, "The version has expired"},
	CodeBusy:         {http.StatusServiceUnavailable, "Too many requests at once"},
	CodeManyRequests: {http.StatusTooManyRequests, "Too many requests for now"},
	CodeNoQuorum:     {http.StatusServiceUnavailable, "Too few members acknowledged"},
	CodeIncomplete:   {http.StatusServiceUnavailable, "A part of the timeline did not answer"},
	CodeStopping:     {http.StatusServiceUnavailable, "The node is stopping"},
	CodeTimeout:      {http.StatusGatewayTimeout, "The network took too long"},
	CodeInternal:     {http.StatusInternalServerError, "The node has a fault"},
}

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

// codes say what an error of the node means to a caller.
var codes = []struct {
	err  error
	code Code
}{
	{node.ErrNoQuorum, CodeNoQuorum},
	{node.ErrNotFound, CodeNotFound},
	{node.ErrNoRegister, CodeNotFound},
	{node.ErrNoAnswer, CodeIncomplete},
	{node.ErrManyClaims, CodeIncomplete},
	{node.ErrNotYours, CodeNotYours},
	{records.ErrConflict, CodeConflict},
	{records.ErrHaveNewer, CodeHaveNewer},
	{records.ErrTooOld, CodeTooOld},
	{records.ErrExpired, CodeExpired},
	{records.ErrNotRegister, CodeBadRequest},
	{node.ErrDeleted, CodeDeleted},
	{node.ErrTextSize, CodeTooLarge},
	{node.ErrManyTags, CodeTooLarge},
	{records.ErrTooLarge, CodeTooLarge},
	{node.ErrNotSource, CodeBadRequest},
	{node.ErrThread, CodeThread},
	{node.ErrManyFollowed, CodeManyFollowed},
	{records.ErrNotUser, CodeBadRequest},
	{records.ErrNotPost, CodeBadRequest},
	{records.ErrNotTag, CodeBadRequest},
	{records.ErrNotCursor, CodeBadRequest},
	{records.ErrMalformed, CodeBadRequest},
	{archive.ErrNotArchive, CodeNotArchive},
	{archive.ErrNewer, CodeNotArchive},
	{node.ErrOtherNetwork, CodeOtherNetwork},
	{node.ErrFull, CodeFull},
	{node.ErrStopped, CodeStopping},
	{context.Canceled, CodeStopping},
	{context.DeadlineExceeded, CodeTimeout},
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
			return problem(c.code, "%v", err)
		}
	}
	return problem(CodeInternal, "%v", err)
}

const problemType = "application/problem+json"

func writeProblem(w http.ResponseWriter, p *Problem) {
	write(w, p.Status, problemType, p)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	write(w, status, "application/json", v)
}

// write answers with v. A caller that has gone, or reads too slowly, is no error
// of ours: its connection ends.
func write(w http.ResponseWriter, status int, contentType string, v any) {
	b, err := json.Marshal(v)
	if err != nil { // our own types always encode
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}

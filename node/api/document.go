package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Document is the OpenAPI 3.1 document of the API, as JSON and as YAML. It says the
// same of every server.
func Document() (asJSON, asYAML []byte, err error) {
	doc := newOperations(&Server{}, newRouter()).described(context.Background())
	if asJSON, err = doc.MarshalJSON(); err != nil {
		return nil, nil, fmt.Errorf("describe api: %w", err)
	}
	if asYAML, err = doc.YAML(); err != nil {
		return nil, nil, fmt.Errorf("describe api: %w", err)
	}
	return asJSON, asYAML, nil
}

// described has all routes made, and is what is said of them.
func (a *operations) described(stopping context.Context) *huma.OpenAPI {
	s := a.server
	s.postOperations(a)
	s.timelineOperations(a)
	s.tagOperations(a)
	s.watchOperations(stopping, a)
	s.followingOperations(a)
	s.profileOperations(a)
	s.nameOperations(a)
	s.registerOperations(a)
	s.sessionOperations(a)
	s.statusOperations(a)
	s.limitOperations(a)
	s.feedOperations(a)
	s.storeOperations(stopping, a)
	a.documentOperations()
	a.docsOperations()
	a.finish()
	return a.OpenAPI()
}

// documentOperations are those that tell of all others. What they answer is made when
// all are there, and then stays as it is.
func (a *operations) documentOperations() {
	doc := a.OpenAPI()
	for _, d := range []struct {
		route, id, kind, summary string
		content                  func() ([]byte, error)
	}{
		{"GET /openapi.json", "getDocument", "application/openapi+json", "This document, as JSON", doc.MarshalJSON},
		{"GET /openapi.yaml", "getDocumentYAML", "application/openapi+yaml", "This document, as YAML", doc.YAML},
	} {
		content := sync.OnceValues(d.content)
		stream(a, operation{
			route: d.route, id: d.id, group: groupNode, summary: d.summary, ready: true,
			answer: answer{kinds: []string{d.kind}, text: "OpenAPI 3.1."},
		}, func(w http.ResponseWriter, r *http.Request, _ *nothing) error {
			b, err := content()
			if err != nil {
				return err
			}
			serveFresh(w, r, d.kind, time.Time{}, b)
			return nil
		})
	}
}

// serveFresh answers with content, or says that it is what the caller has already. A
// zero time is not told.
func serveFresh(w http.ResponseWriter, r *http.Request, kind string, changed time.Time, b []byte) {
	sum := sha256.Sum256(b)
	h := w.Header()
	h.Set("Cache-Control", "no-cache") // to be kept, and asked about before it is used again
	h.Set("ETag", `"`+base64.RawURLEncoding.EncodeToString(sum[:16])+`"`)
	h.Set("Content-Type", kind)
	r.Header.Del("Range") // a part of it is of no use, and a bad one is answered in plain text
	http.ServeContent(w, r, "", changed, bytes.NewReader(b))
}

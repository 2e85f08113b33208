package api_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/starling-social/starling/node/api"
)

// What anybody may ask is little, what strangers may is reading, and whatever
// changes something or is not served is the owner's.
func TestAccess(t *testing.T) {
	for path, want := range map[string]string{
		"GET /healthz":             "open",
		"GET /readyz":              "open",
		"GET /v1/timeline":         "reader",
		"GET /v1/posts/x":          "reader",
		"GET /v1/watch":            "reader",
		"POST /v1/posts":           "owner",
		"DELETE /v1/posts/x":       "owner",
		"GET /v1/home":             "owner",
		"GET /v1/following":        "owner",
		"GET /v1/status":           "owner",
		"GET /v1/peers":            "owner",
		"GET /v1/store/archive":    "owner",
		"OPTIONS /v1/timeline":     "owner",
		"GET /v1//timeline":        "owner",
		"GET /v1/home/../timeline": "owner",
		"GET /no/such/route":       "owner",
		"GET /":                    "owner",
	} {
		if who, _ := api.Callers(request(path)); who != want {
			t.Errorf("%s is for %s, want %s", path, who, want)
		}
	}
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// Everything in the table is served, so that no entry outlives its route; that
// every route has an entry is seen to when routes are made. Strangers change nothing,
// unless it is to sign in.
func TestAccess_served(t *testing.T) {
	for _, route := range api.Served() {
		who, served := api.Callers(request(parameter.ReplaceAllString(route, "x")))
		if !served {
			t.Errorf("%s is not served", route)
		}
		if who != "owner" && route != "POST /v1/session" && !strings.HasPrefix(route, http.MethodGet+" ") && !strings.HasPrefix(route, http.MethodHead+" ") {
			t.Errorf("%s changes something and is for %s", route, who)
		}
	}
}

func request(route string) *http.Request {
	method, path, _ := strings.Cut(route, " ")
	return httptest.NewRequest(method, path, http.NoBody)
}

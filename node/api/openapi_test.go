package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/starling-social/starling/node/api"
)

const documentFile = "../../docs/openapi.yaml"

// The document in the repository is the one that a node serves:
//
//	go test ./node/api -run TestDocument -rewrite
func TestDocument(t *testing.T) {
	_, asYAML, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile(documentFile, asYAML, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(documentFile)
	if err != nil || string(committed) != string(asYAML) {
		t.Errorf("docs/openapi.yaml is not what the routes say (%v): go test ./node/api -run TestDocument -rewrite", err)
	}
}

// operation is what a document says of one.
type operation struct {
	ID          string                     `json:"operationId"`
	Summary     string                     `json:"summary"`
	Tags        []string                   `json:"tags"`
	Callers     string                     `json:"x-callers"`
	Security    []map[string][]string      `json:"security"`
	Parameters  []parameterOf              `json:"parameters"`
	RequestBody json.RawMessage            `json:"requestBody"`
	Responses   map[string]json.RawMessage `json:"responses"`
}

type parameterOf struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Description string `json:"description"`
}

type listedProblem struct {
	Code          api.Code
	Status        int
	Title, Remedy string
}

type document struct {
	OpenAPI    string                          `json:"openapi"`
	Paths      map[string]map[string]operation `json:"paths"`
	Problems   []listedProblem                 `json:"x-problems"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]struct {
				Description string   `json:"description"`
				Ref         string   `json:"$ref"`
				Enum        []string `json:"enum"`
			} `json:"properties"`
		} `json:"schemas"`
	} `json:"components"`
}

func readDocument(t *testing.T) (d document) {
	t.Helper()
	asJSON, _, err := api.Document()
	if err == nil {
		err = json.Unmarshal(asJSON, &d)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Every route is described and every operation described is served, to those whom it
// names.
func TestDocument_routes(t *testing.T) {
	d := readDocument(t)
	var described []string
	for path, item := range d.Paths {
		for method, op := range item {
			route := strings.ToUpper(method) + " " + path
			described = append(described, route)
			who, served := api.Callers(request(parameter.ReplaceAllString(route, "x")))
			if want := map[string]string{"owner": "owner", "reader": "readers", "open": "everybody"}[who]; !served || op.Callers != want {
				t.Errorf("%s is for %s, and served %t to %s", route, op.Callers, served, who)
			}
		}
	}
	slices.Sort(described)
	var served []string
	for _, route := range api.Served() {
		served = append(served, strings.ReplaceAll(route, "...}", "}"))
	}
	slices.Sort(served)
	if d.OpenAPI != "3.1.0" || !slices.Equal(described, served) {
		t.Errorf("OpenAPI %s describes %v, served are %v", d.OpenAPI, described, served)
	}
}

// Nothing is left without words, and nothing of huma's own shows.
func TestDocument_words(t *testing.T) {
	d := readDocument(t)
	ids := map[string]bool{}
	for path, item := range d.Paths {
		for method, op := range item {
			if op.ID == "" || ids[op.ID] || op.Summary == "" || len(op.Tags) != 1 {
				t.Errorf("%s %s: id %q, summary %q, tags %v", method, path, op.ID, op.Summary, op.Tags)
			}
			ids[op.ID] = true
			for _, p := range op.Parameters {
				if p.Description == "" {
					t.Errorf("%s: nothing is said of %s parameter %s", op.ID, p.In, p.Name)
				}
			}
			for status, r := range op.Responses {
				if status >= "400" && op.ID+status != "getReadiness503" && !strings.HasPrefix(string(r), `{"$ref":"#/components/responses/`+status+`.`) {
					t.Errorf("%s answers %s with %s", op.ID, status, r)
				}
			}
			if op.Responses["400"] == nil || op.Responses["500"] == nil || op.Responses["401"] == nil && op.Callers != "everybody" {
				t.Errorf("%s answers only %v", op.ID, slices.Sorted(maps.Keys(op.Responses)))
			}
		}
	}
	for name, s := range d.Components.Schemas {
		if strings.HasPrefix(name, "Error") {
			t.Errorf("schema %s is not ours", name)
		}
		for field, p := range s.Properties {
			if p.Description == "" && p.Ref == "" {
				t.Errorf("nothing is said of %s.%s", name, field)
			}
		}
	}
}

// Codes are listed once each, wherever they are listed.
func TestDocument_codes(t *testing.T) {
	d := readDocument(t)
	var listed []string
	for _, p := range d.Problems {
		listed = append(listed, string(p.Code))
	}
	slices.Sort(listed)
	if enum := d.Components.Schemas["Problem"].Properties["code"].Enum; len(listed) < 20 || !slices.Equal(slices.Compact(listed), enum) {
		t.Errorf("codes %v, in the schema %v", listed, enum)
	}
}

// What is served is the document; who has it already is told so.
func TestDocument_served(t *testing.T) {
	s := serve(t)
	asJSON, asYAML, err := api.Document()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/openapi.json": string(asJSON), "/openapi.yaml": string(asYAML)} {
		got := s.ask(t, http.MethodGet, path, "", "Authorization: none")
		if got.status != http.StatusOK || got.body != want {
			t.Errorf("%s: %d, %d bytes, want %d", path, got.status, len(got.body), len(want))
		}
		again := s.ask(t, http.MethodGet, path, "", "Authorization: none", "If-None-Match: "+got.header.Get("ETag"))
		if again.status != http.StatusNotModified || again.body != "" {
			t.Errorf("%s again: %d %s", path, again.status, again.body)
		}
	}
}

// The page in docs says of each code what the document does.
func TestDocument_problems(t *testing.T) {
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	d := readDocument(t)
	for _, p := range d.Problems {
		if row := fmt.Sprintf("| %d | `%s` | %s | %s |\n", p.Status, p.Code, p.Title, p.Remedy); !strings.Contains(string(page), row) {
			t.Errorf("docs/api.md lacks %s", row)
		}
	}
	if rows := strings.Count(string(page), "\n| "); rows != len(d.Problems)+2 {
		t.Errorf("docs/api.md has %d rows, want %d and two above them", rows, len(d.Problems))
	}
}

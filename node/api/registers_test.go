package api_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

// registrar keeps registers and claims in lists, newest last.
type registrar struct {
	network  records.Network
	versions map[records.RegisterID][]*records.Record
	claims   []*records.Record
}

func (r *registrar) PutRegister(ctx context.Context, name string, d node.RegisterDraft) (node.RegisterReceipt, error) {
	id := records.RegisterID{User: me.User(), Name: name}
	last, err := r.ReadRegister(ctx, id, false)
	if d.Expect != nil && (err == nil) != (*d.Expect != 0) {
		return node.RegisterReceipt{}, &node.RegisterError{Reason: records.ErrConflict, Current: last}
	}
	body := records.RegisterBody{Value: d.Value, Party: d.Party, Consent: d.Consent}
	draft, err := records.NewRegister(last, 1000, name, body, 0)
	if err == nil && d.Delete {
		draft = records.Tombstone(last, 2000)
	}
	if err != nil {
		return node.RegisterReceipt{}, err
	}
	if !d.Expires.IsZero() {
		draft.Expires = records.MillisOf(d.Expires)
	}
	v, err := records.Seal(ctx, r.network, records.AuthorSigner(me), draft)
	if err != nil {
		return node.RegisterReceipt{}, err
	}
	r.versions[id] = append(r.versions[id], v)
	return node.RegisterReceipt{Record: v, Place: node.PlaceReceipt{Place: id.Place(), Stored: 3, Wanted: 4}, Shown: 2, Asked: 3}, nil
}

func (r *registrar) ReadRegister(_ context.Context, id records.RegisterID, first bool) (*records.Record, error) {
	all := r.versions[id]
	switch {
	case len(all) == 0:
		return nil, node.ErrNoRegister
	case first:
		return all[0], nil
	default:
		return all[len(all)-1], nil
	}
}

func (r *registrar) Standing(v *records.Record) error {
	switch {
	case v.Deleted():
		return node.ErrNoRegister
	case v.Expired(5000):
		return records.ErrExpired
	default:
		return nil
	}
}

func (r *registrar) Confirmed(v *records.Record) bool {
	id, body, err := v.Register()
	return err == nil && body.Confirmed(r.network, id)
}

func (r *registrar) Consent(id records.RegisterID, value []byte) [64]byte {
	return records.Consent(r.network, me, id, value)
}

func (r *registrar) History(_ context.Context, id records.RegisterID) (out []node.Seen, err error) {
	for _, v := range r.versions[id] {
		out = append([]node.Seen{{Record: v, Missing: v.Deleted()}}, out...)
	}
	if len(out) == 0 {
		return nil, node.ErrNoRegister
	}
	return out, nil
}

func (r *registrar) Claim(ctx context.Context, nickname records.Tag) (node.Receipt, error) {
	v, err := records.Seal(ctx, r.network, records.AuthorSigner(me), records.NewClaim(nil, 1000, nickname))
	r.claims = append(r.claims, v)
	return node.Receipt{Record: v}, err
}

func (r *registrar) Unclaim(context.Context, records.Tag) (node.Receipt, error) {
	if len(r.claims) == 0 {
		return node.Receipt{}, node.ErrNotFound
	}
	v := r.claims[0]
	r.claims = nil
	return node.Receipt{Record: v}, nil
}

func (r *registrar) FindName(context.Context, records.Tag) ([]*records.Record, error) {
	if len(r.claims) > 1 {
		return r.claims, node.ErrManyClaims
	}
	return r.claims, nil
}

func wantCode(t *testing.T, what string, err error, code api.Code) {
	t.Helper()
	var p *api.Problem
	if !errors.As(err, &p) || p.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// A register is written, read, expected, expires and is deleted, each with its code.
func TestRegisters(t *testing.T) {
	s := serve(t)
	c, ctx := s.client(t), t.Context()
	_, err := c.Register(ctx, "me", "profile", false)
	wantCode(t, "nothing", err, api.CodeNotFound)
	receipt, err := c.PutRegister(ctx, "profile", api.RegisterDraft{Profile: &api.Profile{Name: "Ada", Links: []string{"https://example.org/"}}})
	if err != nil || receipt.Stored != 3 || receipt.Shown != 2 || receipt.Register.Profile.Name != "Ada" {
		t.Fatalf("%+v, %v", receipt, err)
	}
	got, err := c.Register(ctx, me.User().String(), "profile", true)
	if err != nil || got.Rev != receipt.Register.Rev || got.Key != "/profile/"+me.User().Multibase() || got.Profile.Links[0] != "https://example.org/" {
		t.Errorf("%+v, %v", got, err)
	}
	text, none := "x", uint64(0)
	_, err = c.PutRegister(ctx, "profile", api.RegisterDraft{Text: &text, Expect: &none})
	wantCode(t, "expecting none", err, api.CodeConflict)
	var p *api.Problem
	if !errors.As(err, &p) || p.Stands == nil || p.Stands.Rev != got.Rev {
		t.Errorf("what stands: %+v", p)
	}
	if _, err = c.PutRegister(ctx, "service/a", api.RegisterDraft{Text: &text, Expires: 2000}); err != nil {
		t.Fatal(err)
	}
	_, err = c.Register(ctx, "me", "service/a", false)
	wantCode(t, "expired", err, api.CodeExpired)
	if _, err = c.DeleteRegister(ctx, "service/a", nil); err != nil {
		t.Fatal(err)
	}
	_, err = c.Register(ctx, "me", "service/a", false)
	wantCode(t, "deleted", err, api.CodeNotFound)
	list, err := c.History(ctx, "me", "service/a")
	if err != nil || len(list.Versions) != 2 || !list.Versions[0].Missing || *list.Versions[1].Text != "x" {
		t.Errorf("%+v, %v", list, err)
	}
}

// The other side of a relation agrees, and then it shows as confirmed.
func TestRegisters_consent(t *testing.T) {
	s := serve(t)
	c, ctx := s.client(t), t.Context()
	party, value := me.User().String(), "two shares"
	one, err := c.PutRegister(ctx, "service/backup", api.RegisterDraft{Text: &value, Party: &party})
	if err != nil || *one.Register.Confirmed {
		t.Fatalf("%+v, %v", one, err)
	}
	agreed, err := c.Consent(ctx, api.ConsentTo{User: "me", Name: "service/backup", Text: value})
	if err != nil {
		t.Fatal(err)
	}
	two, err := c.PutRegister(ctx, "service/backup", api.RegisterDraft{Text: &value, Party: &party, Consent: &agreed.Consent})
	if err != nil || !*two.Register.Confirmed || *two.Register.Party != party {
		t.Errorf("%+v, %v", two, err)
	}
}

// What makes no sense is refused before the node is asked.
func TestRegisters_refusals(t *testing.T) {
	s := serve(t)
	other := "/v1/registers/" + somebody.User().String() + "/profile"
	for _, bad := range []struct{ method, path, body string }{
		{http.MethodGet, "/v1/registers/me/other", ""},
		{http.MethodGet, "/v1/registers/ann/profile", ""},
		{http.MethodGet, "/v1/registers/me/service/a/b", ""},
		{http.MethodGet, "/v1/registers/me/profile?first=1", ""},
		{http.MethodGet, "/v1/registers/me/profile?x=1", ""},
		{http.MethodPut, "/v1/registers/me/profile", `{}`},
		{http.MethodPut, "/v1/registers/me/profile", `{"text":"a","value":"YQ=="}`},
		{http.MethodPut, "/v1/registers/me/profile", `{"text":"a","consent":"00"}`},
		{http.MethodPut, "/v1/registers/me/profile", `{"text":"a","party":"ann"}`},
		{http.MethodPut, "/v1/registers/me/profile", `{"profile":{"name":"\u001b","about":"","links":[]}}`},
		{http.MethodDelete, "/v1/registers/me/profile?expect=x", ""},
		{http.MethodPost, "/v1/consents", `{"user":"me","name":"other","text":"x"}`},
		{http.MethodGet, "/v1/names/a%20b", ""},
		{http.MethodPut, "/v1/names/%21", ""},
		{http.MethodGet, "/v1/history/me/", ""},
	} {
		if got := s.ask(t, bad.method, bad.path, bad.body); got.status != http.StatusBadRequest {
			t.Errorf("%s %s %s: %d %s", bad.method, bad.path, bad.body, got.status, got.body)
		}
	}
	if got := s.ask(t, http.MethodPut, other, `{"text":"a"}`); got.status != http.StatusForbidden {
		t.Errorf("another's: %d %s", got.status, got.body)
	}
	if got := s.ask(t, http.MethodPut, "/v1/names/ada", "", "Authorization: none"); got.status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", got.status)
	}
}

// A nickname is claimed, found with a part of the key, and given up.
func TestNames(t *testing.T) {
	s := serve(t)
	c, ctx := s.client(t), t.Context()
	_, err := c.UnclaimName(ctx, "ada")
	wantCode(t, "unclaimed", err, api.CodeNotFound)
	if _, err := c.ClaimName(ctx, "Ada"); err != nil {
		t.Fatal(err)
	}
	found, err := c.FindName(ctx, "ADA")
	if err != nil || len(found.Claims) != 1 || found.Claims[0].Shown != "ada#"+me.User().Fragment() || found.Claims[0].User != me.User().String() {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := c.ClaimName(ctx, "ada"); err != nil {
		t.Fatal(err)
	}
	if found, err = c.FindName(ctx, "ada"); err != nil || len(found.Claims) != 2 || found.Problem == nil || found.Problem.Code != api.CodeIncomplete {
		t.Errorf("with more: %+v, %v", found, err)
	}
	if _, err := c.UnclaimName(ctx, "ada"); err != nil {
		t.Fatal(err)
	}
	if found, err = c.FindName(ctx, "ada"); err != nil || len(found.Claims) != 0 {
		t.Errorf("given up: %+v, %v", found, err)
	}
}

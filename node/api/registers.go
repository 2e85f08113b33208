package api

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// RegisterWriter writes the owner's registers, and agrees to what others' say.
type RegisterWriter interface {
	PutRegister(ctx context.Context, name string, d node.RegisterDraft) (node.RegisterReceipt, error)
	Consent(id records.RegisterID, value []byte) [64]byte
}

// RegisterReader reads anybody's registers.
type RegisterReader interface {
	ReadRegister(ctx context.Context, id records.RegisterID, first bool) (*records.Record, error)
	History(ctx context.Context, id records.RegisterID) ([]node.Seen, error)
}

// RegisterJudge tells what a version of a register is worth.
type RegisterJudge interface {
	Standing(r *records.Record) error
	Confirmed(r *records.Record) bool
}

// Names claims nicknames for the owner, and finds who claims one.
type Names interface {
	Claim(ctx context.Context, nickname records.Tag) (node.Receipt, error)
	Unclaim(ctx context.Context, nickname records.Tag) (node.Receipt, error)
	FindName(ctx context.Context, nickname records.Tag) ([]*records.Record, error)
}

// Registers is all about registers.
type Registers interface {
	RegisterWriter
	RegisterReader
	RegisterJudge
}

// Public is what the owner is known by, and everybody else.
type Public interface {
	Registers
	Names
}

// Paths of registers and names.
const (
	registersPath = "/v1/registers"
	historyPath   = "/v1/history"
	consentsPath  = "/v1/consents"
	namesPath     = "/v1/names"

	paramFirst  = "first"  // of a register: the version that is shown first will do
	paramExpect = "expect" // of its deletion: the revision that is deleted
)

func (s *Server) registerRoutes() map[string]map[string]handler {
	register := registersPath + "/{user}/{name...}"
	return map[string]map[string]handler{
		register:                          {http.MethodGet: s.register, http.MethodPut: s.putRegister, http.MethodDelete: s.deleteRegister},
		historyPath + "/{user}/{name...}": {http.MethodGet: s.history},
		consentsPath:                      {http.MethodPost: s.consent},
		namesPath + "/{nickname}":         {http.MethodGet: s.findName, http.MethodPut: s.claim, http.MethodDelete: s.unclaim},
	}
}

// registerOf is the register that a path names.
func (s *Server) registerOf(r *http.Request) (records.RegisterID, error) {
	u, err := node.ParseUser(r.PathValue("user"), s.Node.User())
	if err != nil {
		return records.RegisterID{}, err
	}
	id := records.RegisterID{User: u, Name: r.PathValue("name")}
	return id, id.Check()
}

func (s *Server) register(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, paramFirst)
	if err != nil {
		return err
	}
	if q.Has(paramFirst) && q.Get(paramFirst) != "true" {
		return problem(CodeBadRequest, "first %.40q: want true, or nothing", q.Get(paramFirst))
	}
	id, err := s.registerOf(r)
	if err != nil {
		return err
	}
	ctx, done, err := s.begin(w, r)
	if err != nil {
		return err
	}
	defer done()
	got, err := s.Node.ReadRegister(ctx, id, q.Has(paramFirst))
	if err != nil {
		return err
	}
	if err := s.Node.Standing(got); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.registerJSON(got))
	return nil
}

func (s *Server) putRegister(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	var body RegisterDraft
	if err := decode(r, &body); err != nil {
		return err
	}
	draft, err := s.registerDraft(body)
	if err != nil {
		return err
	}
	return s.writeRegister(w, r, draft)
}

func (s *Server) deleteRegister(w http.ResponseWriter, r *http.Request) error {
	q, err := query(r, paramExpect)
	if err != nil {
		return err
	}
	draft := node.RegisterDraft{Delete: true}
	if q.Has(paramExpect) {
		rev, err := strconv.ParseUint(q.Get(paramExpect), 10, 64)
		if err != nil {
			return problem(CodeBadRequest, "expect %.40q: want a revision", q.Get(paramExpect))
		}
		draft.Expect = (*records.Rev)(&rev)
	}
	return s.writeRegister(w, r, draft)
}

// writeRegister answers with the receipt; of a version that was not taken, with what
// stands in its place.
func (s *Server) writeRegister(w http.ResponseWriter, r *http.Request, draft node.RegisterDraft) error {
	id, err := s.registerOf(r)
	if err != nil {
		return err
	}
	if id.User != s.Node.User() {
		return node.ErrNotYours
	}
	ctx, done, err := s.begin(w, r)
	if err != nil {
		return err
	}
	defer done()
	receipt, err := s.Node.PutRegister(ctx, id.Name, draft)
	if err != nil {
		p := problemOf(err)
		var refused *node.RegisterError
		if errors.As(err, &refused) && refused.Current != nil {
			stands := s.registerJSON(refused.Current)
			p.Stands = &stands
		}
		return p
	}
	writeJSON(w, http.StatusOK, RegisterReceipt{
		Register: s.registerJSON(receipt.Record),
		Stored:   receipt.Place.Stored, Wanted: receipt.Place.Wanted, Shown: receipt.Shown, Asked: receipt.Asked,
	})
	return nil
}

// registerDraft reads a draft: exactly one of value, text and profile.
func (s *Server) registerDraft(d RegisterDraft) (out node.RegisterDraft, err error) {
	given := 0
	for _, is := range []bool{d.Value != nil, d.Text != nil, d.Profile != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return out, problem(CodeBadRequest, "want exactly one of value, text and profile")
	}
	switch {
	case d.Text != nil:
		out.Value = []byte(*d.Text)
	case d.Profile != nil:
		out.Value, err = records.ProfileBody{Name: d.Profile.Name, About: d.Profile.About, Links: d.Profile.Links}.Encode()
	default:
		out.Value = d.Value
	}
	if err != nil {
		return out, err
	}
	if d.Expires != 0 {
		out.Expires = time.UnixMilli(d.Expires)
	}
	out.Expect = (*records.Rev)(d.Expect)
	if d.Party != nil {
		if out.Party, err = node.ParseUser(*d.Party, s.Node.User()); err != nil {
			return out, err
		}
	}
	if d.Consent != nil {
		b, err := hex.DecodeString(*d.Consent)
		if err != nil || len(b) != len(out.Consent) {
			return out, problem(CodeBadRequest, "consent: want %d hexadecimal digits", 2*len(out.Consent))
		}
		out.Consent = [64]byte(b)
	}
	return out, nil
}

func (s *Server) history(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	id, err := s.registerOf(r)
	if err != nil {
		return err
	}
	ctx, done, err := s.begin(w, r)
	if err != nil {
		return err
	}
	defer done()
	seen, err := s.Node.History(ctx, id)
	if err != nil {
		return err
	}
	out := History{Versions: []SeenRegister{}}
	for _, v := range seen {
		out.Versions = append(out.Versions, SeenRegister{s.registerJSON(v.Record), v.Missing})
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) consent(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	var body ConsentTo
	if err := decode(r, &body); err != nil {
		return err
	}
	u, err := node.ParseUser(body.User, s.Node.User())
	if err != nil {
		return err
	}
	id := records.RegisterID{User: u, Name: body.Name}
	if err := id.Check(); err != nil {
		return err
	}
	signature := s.Node.Consent(id, []byte(body.Text))
	writeJSON(w, http.StatusOK, Consent{s.Node.User().String(), hex.EncodeToString(signature[:])})
	return nil
}

func (s *Server) findName(w http.ResponseWriter, r *http.Request) error {
	name, ctx, done, err := s.beginName(w, r)
	if err != nil {
		return err
	}
	defer done()
	claims, err := s.Node.FindName(ctx, name)
	out := Claims{Claims: []Claim{}}
	for _, c := range claims {
		out.Claims = append(out.Claims, Claim{
			Shown: string(name) + "#" + c.Author().Fragment(), Name: string(name), User: c.Author().String(), Since: int64(c.Created()),
		})
	}
	var gap *node.GapError
	switch {
	case errors.Is(err, node.ErrManyClaims), errors.As(err, &gap):
		out.Problem = problemOf(err) // what was found is right
	case err != nil:
		return err
	}
	writeJSON(w, http.StatusOK, out)
	return nil
}

func (s *Server) claim(w http.ResponseWriter, r *http.Request) error {
	return s.changeName(w, r, s.Node.Claim)
}

func (s *Server) unclaim(w http.ResponseWriter, r *http.Request) error {
	return s.changeName(w, r, s.Node.Unclaim)
}

func (s *Server) changeName(w http.ResponseWriter, r *http.Request, do func(context.Context, records.Tag) (node.Receipt, error)) error {
	name, err := records.NormalizeTag(r.PathValue("nickname"))
	if err != nil {
		return err
	}
	return s.write(w, r, http.StatusOK, func(ctx context.Context) (node.Receipt, error) { return do(ctx, name) })
}

func (s *Server) beginName(w http.ResponseWriter, r *http.Request) (name records.Tag, ctx context.Context, done func(), err error) {
	if _, err := query(r); err != nil {
		return "", nil, nil, err
	}
	if name, err = records.NormalizeTag(r.PathValue("nickname")); err != nil {
		return "", nil, nil, err
	}
	ctx, done, err = s.begin(w, r)
	return name, ctx, done, err
}

func registerPath(base, user, name string) string {
	return base + "/" + url.PathEscape(user) + "/" + name // names need no escaping
}

// PutRegister writes one of the owner's registers. When another version stands, the
// error is a [*Problem] that shows it.
func (c *Client) PutRegister(ctx context.Context, name string, d RegisterDraft) (out RegisterReceipt, err error) {
	err = c.ask(ctx, http.MethodPut, registerPath(registersPath, "me", name), d, &out)
	return out, err
}

// DeleteRegister writes a tombstone, of a certain revision if expect is not nil.
func (c *Client) DeleteRegister(ctx context.Context, name string, expect *uint64) (out RegisterReceipt, err error) {
	path := registerPath(registersPath, "me", name)
	if expect != nil {
		path += "?" + paramExpect + "=" + strconv.FormatUint(*expect, 10)
	}
	err = c.ask(ctx, http.MethodDelete, path, nil, &out)
	return out, err
}

// Register reads what stands in a register; with first the version shown first.
func (c *Client) Register(ctx context.Context, user, name string, first bool) (out Register, err error) {
	path := registerPath(registersPath, user, name)
	if first {
		path += "?" + paramFirst + "=true"
	}
	err = c.ask(ctx, http.MethodGet, path, nil, &out)
	return out, err
}

// History asks which versions of a register the node has written or read.
func (c *Client) History(ctx context.Context, user, name string) (out History, err error) {
	err = c.ask(ctx, http.MethodGet, registerPath(historyPath, user, name), nil, &out)
	return out, err
}

// Consent has the owner agree to a relation in somebody's register.
func (c *Client) Consent(ctx context.Context, to ConsentTo) (out Consent, err error) {
	err = c.ask(ctx, http.MethodPost, consentsPath, to, &out)
	return out, err
}

// ClaimName claims a nickname.
func (c *Client) ClaimName(ctx context.Context, nickname string) (out Receipt, err error) {
	err = c.ask(ctx, http.MethodPut, namesPath+"/"+url.PathEscape(nickname), nil, &out)
	return out, err
}

// UnclaimName gives a nickname up.
func (c *Client) UnclaimName(ctx context.Context, nickname string) (out Receipt, err error) {
	err = c.ask(ctx, http.MethodDelete, namesPath+"/"+url.PathEscape(nickname), nil, &out)
	return out, err
}

// FindName asks who claims a nickname.
func (c *Client) FindName(ctx context.Context, nickname string) (out Claims, err error) {
	err = c.ask(ctx, http.MethodGet, namesPath+"/"+url.PathEscape(nickname), nil, &out)
	return out, err
}

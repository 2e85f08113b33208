package api

import (
	"context"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/records"
)

// UserProfile is what somebody says of themselves, and in which version.
type UserProfile struct {
	User string `json:"user" doc:"Whose it is."`
	Profile
	Rev uint64 `json:"rev" doc:"The version, for expect; more than a JavaScript number can hold." example:"117440512000000"`
}

// ProfileDraft is the next version of the owner's profile.
type ProfileDraft struct {
	Profile
	Expect *uint64 `json:"expect,omitempty" doc:"The rev that stands, 0 for none; absent for whatever stands."`
}

func (s *Server) profileOperations(a *operations) {
	add(a, operation{
		route: "GET /v1/profiles/{user}", id: "getProfile", group: groupPeople,
		summary: "Somebody's profile",
		text:    "It is the register `profile`. Who has none is not found.",
		codes:   []Code{CodeNotFound, CodeExpired, CodeIncomplete},
	}, s.getProfile)
	add(a, operation{
		route: "PUT /v1/profiles/{user}", id: "putProfile", group: groupPeople,
		summary: "Write the owner's profile",
		codes:   []Code{CodeNotYours, CodeConflict, CodeHaveNewer, CodeTooOld, CodeNoQuorum, CodeIncomplete},
	}, s.putProfile)
}

func (s *Server) getProfile(ctx context.Context, in *struct {
	User  string `path:"user" doc:"A user, or me." example:"me"`
	First bool   `query:"first" doc:"Take the version that is shown first: sooner, and perhaps not the newest."`
},
) (*body[UserProfile], error) {
	id, err := s.register(RegisterPath{in.User, records.Profile})
	if err != nil {
		return nil, err
	}
	got, err := s.readRegister(ctx, id, in.First)
	if err != nil {
		return nil, err
	}
	r := s.registerJSON(got)
	if r.Profile == nil {
		return nil, problem(CodeNotFound, "what stands in the register is no profile")
	}
	return &body[UserProfile]{UserProfile{r.User, *r.Profile, r.Rev}}, nil
}

func (s *Server) putProfile(ctx context.Context, in *struct {
	User string `path:"user" doc:"The owner: me, or their did:key." example:"me"`
	Body ProfileDraft
},
) (*body[RegisterReceipt], error) {
	p := in.Body.Profile
	value, err := records.ProfileBody{Name: p.Name, About: p.About, Links: p.Links}.Encode()
	if err != nil {
		return nil, err
	}
	draft := node.RegisterDraft{Value: value, Expect: (*records.Rev)(in.Body.Expect)}
	return s.writeRegister(ctx, RegisterPath{in.User, records.Profile}, draft)
}

package api_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/records"
)

func (f *fake) Follow(_ context.Context, s node.Source) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := s.Followable(); err != nil {
		return err
	}
	if len(f.followed) == 3 {
		return node.ErrManyFollowed
	}
	f.followed = append(f.followed, node.Followed{Source: s, Since: time.UnixMilli(1000)})
	return nil
}

func (f *fake) Unfollow(_ context.Context, s node.Source) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.followed = slices.DeleteFunc(f.followed, func(e node.Followed) bool { return e.Source == s })
	return nil
}

func (f *fake) Following() []node.Followed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.followed)
}

func (f *fake) Home(ctx context.Context, rng node.Range) iter.Seq2[*records.Record, error] {
	return f.Timeline(ctx, node.Source{}, rng)
}

func (f *fake) WatchHome(ctx context.Context, limit int) iter.Seq2[node.Event, error] {
	return f.Watch(ctx, nil, limit)
}

// What is followed is on the list until it is unfollowed, whatever its name has in
// it, and doing either twice is as good as once.
func TestFollowing(t *testing.T) {
	s := serve(t)
	c := s.client(t)
	for _, source := range []string{"#Ünï", "me", "@me"} {
		f, err := c.Follow(t.Context(), source)
		if err != nil || f.Since != 1000 {
			t.Fatalf("follow %s: %v, %v", source, f, err)
		}
	}
	list, err := c.Following(t.Context())
	want := []api.Followed{{Source: "#ünï", Since: 1000}, {Source: me.User().String(), Since: 1000}, {Source: "@" + me.User().String(), Since: 1000}}
	if err != nil || !slices.Equal(list.Following, want) {
		t.Fatalf("following %v, %v, want %v", list, err, want)
	}
	for range 2 {
		if err := c.Unfollow(t.Context(), "#ünï"); err != nil {
			t.Fatal(err)
		}
	}
	if list, err = c.Following(t.Context()); err != nil || !slices.Equal(list.Following, want[1:]) {
		t.Errorf("then following %v, %v, want %v", list, err, want[1:])
	}
}

// What cannot be followed is refused with a code of its own.
func TestFollowing_refusals(t *testing.T) {
	s := serve(t)
	c := s.client(t)
	post := s.add(me, "x", records.PostHead{}, 1).Ref().String()
	refused := func(source string, code api.Code) {
		t.Helper()
		_, err := c.Follow(t.Context(), source)
		var p *api.Problem
		if !errors.As(err, &p) || p.Code != code {
			t.Errorf("follow %q: %v, want %s", source, err, code)
		}
	}
	refused("sky", api.CodeBadRequest)
	refused("@sky", api.CodeBadRequest)
	refused(post, api.CodeThread)
	for _, source := range []string{"#a", "#b", "#c"} {
		if _, err := c.Follow(t.Context(), source); err != nil {
			t.Fatal(err)
		}
	}
	refused("#d", api.CodeManyFollowed)
	for _, path := range []string{"/v1/following?x=1", "/v1/following/%23a?x=1", "/v1/home?source=me", "/v1/home/watch?before=A"} {
		method := http.MethodGet
		if strings.Contains(path, "%23") {
			method = http.MethodPut
		}
		if got := s.ask(t, method, path, ""); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := s.ask(t, http.MethodPut, "/v1/following/%23a", "", "Authorization: none"); got.status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", got.status)
	}
}

// Home is read by pages with cursors and heard as it arrives.
func TestHome(t *testing.T) {
	s := serve(t)
	c := s.client(t)
	for i := range 5 {
		s.add(me, string(rune('a'+i)), records.PostHead{}, records.Millis(i+1))
	}
	var got []string
	for p, err := range c.Home(t.Context(), 4, "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.Text)
	}
	first, err := c.HomePage(t.Context(), 2, "")
	if err != nil || first.Next == nil {
		t.Fatalf("first page: %v, %v", first, err)
	}
	second, err := c.HomePage(t.Context(), 2, *first.Next)
	if err != nil || strings.Join(got, "") != "edcb" || second.Posts[0].Text != "c" {
		t.Errorf("home reads %q, then %v, %v", got, second, err)
	}
	fresh := s.add(me, "fresh", records.PostHead{}, 9)
	go func() { s.watcher <- node.Event{Record: fresh, Live: true} }()
	for a, err := range c.WatchHome(t.Context(), 1) {
		if err != nil || a.Post == nil || a.Post.Text != "fresh" {
			t.Errorf("heard %v, %v", a, err)
		}
	}
	s.stop()
	<-s.watched
}

// That nobody answered for a part of a page is told in the page, also when the
// page is empty: what is there is right.
func TestPage_gap(t *testing.T) {
	s := serve(t)
	s.fake.err = &node.GapError{Places: []records.Place{records.TagPlace("go")}}
	for _, posts := range []int{0, 1} {
		if posts > 0 {
			s.add(me, "x", records.PostHead{}, 1)
		}
		for _, path := range []string{"/v1/timeline?source=me", "/v1/home"} {
			got := s.ask(t, http.MethodGet, path, "")
			if got.status != http.StatusOK || !strings.Contains(got.body, string(api.CodeIncomplete)) {
				t.Errorf("%s with %d posts: %d %s", path, posts, got.status, got.body)
			}
		}
	}
	n := 0
	var last error
	for _, err := range s.client(t).Home(t.Context(), 10, "") {
		n++
		last = err
	}
	var p *api.Problem
	if n != 2 || !errors.As(last, &p) || p.Code != api.CodeIncomplete {
		t.Errorf("the client hears %d, at last %v", n, last)
	}
}

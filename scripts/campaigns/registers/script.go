package main

import (
	"context"
	"time"

	"github.com/starling-social/starling/records"
)

// A screenplay is what the JavaScript client does, and what stands at the end.
type screenplay struct {
	steps  []step
	id     records.RegisterID
	stands *records.Record
}

// script makes the records, which JavaScript carries as bytes, and the steps.
func script(ctx context.Context, net *loopback, who byte) (s screenplay, err error) {
	now := time.Now()
	seal := func(person byte, name string, at time.Time, value string) (r *records.Record) {
		if err == nil {
			r, err = sealed(ctx, net.network, records.KeyFromSeed([32]byte{100 + who, person}), name, at, value)
		}
		return r
	}
	written := seal(1, records.Profile, now, "by exchange")
	older := seal(2, records.Profile, now, "by js-libp2p")
	newer := seal(2, records.Profile, now.Add(time.Millisecond), "again by js-libp2p")
	service := seal(2, "service/feed", now, "a service")
	stranger := seal(3, records.Profile, now, "somebody else")
	if err != nil {
		return s, err
	}
	if _, err := net.nodes[0].StoreRegister(ctx, written); err != nil {
		return s, err
	}
	damaged := append([]byte{}, newer.Bytes()...)
	damaged[len(damaged)-1] ^= 1
	key := func(r *records.Record) string { id, _, _ := r.Register(); return id.Key() }
	put := func(what, key string, value []byte) step { return step{what, "put", key, value, false} }
	refused := func(what, key string, value []byte) step { return step{what, "put", key, value, true} }
	get := func(what, key string, value []byte) step { return step{what, "get", key, value, false} }
	s.id, _, err = newer.Register()
	s.stands = newer
	s.steps = []step{
		get("get what a node wrote", key(written), written.Bytes()),
		put("put a profile", key(older), older.Bytes()),
		get("get it", key(older), older.Bytes()),
		put("put a newer version", key(newer), newer.Bytes()),
		get("get it", key(newer), newer.Bytes()),
		put("put a service", key(service), service.Bytes()),
		get("get it", key(service), service.Bytes()),
		refused("put the older version", key(older), older.Bytes()),
		refused("put under another's key", key(stranger), newer.Bytes()),
		refused("put another's record", key(newer), stranger.Bytes()),
		refused("put a broken signature", key(newer), damaged),
		get("get what stands", key(newer), newer.Bytes()),
		get("get another's key", key(stranger), nil),
	}
	return s, err
}

// sealed is a version of somebody's register.
func sealed(ctx context.Context, network records.Network, key records.Key, name string, at time.Time, value string) (*records.Record, error) {
	d, err := records.NewRegister(nil, records.MillisOf(at), name, records.RegisterBody{Value: []byte(value)}, 0)
	if err != nil {
		return nil, err
	}
	return records.Seal(ctx, network, records.AuthorSigner(key), d)
}

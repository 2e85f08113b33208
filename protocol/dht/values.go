package dht

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	kad "github.com/libp2p/go-libp2p-kad-dht"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/starling-social/starling/records"
)

// Registers is the store that kad-dht's own values are in: the one for everything.
type Registers interface {
	// Register is the version that is held at a place and may be shown, perhaps a
	// tombstone or one that has expired; nil for none.
	Register(ctx context.Context, p records.Place) (*records.Record, error)
	// Keep stores a version, on disk when it returns. What is not stored, or is not
	// what is held then, is an error.
	Keep(ctx context.Context, put records.Put) error
}

// valueOptions make the library answer GET_VALUE and PUT_VALUE out of cfg.Registers.
// Its own rules of age are off: it would let old values return once newer ones have
// aged, and anybody keep a value alive by putting it again. What expires says so
// itself, and what is held is healed by those who hold it.
func valueOptions(cfg Config, counts *valueCounts) []kad.Option {
	if cfg.Registers == nil {
		return []kad.Option{kad.DisableValues()}
	}
	validator := NewValidator(cfg.Door, cfg.Now)
	return []kad.Option{
		kad.Validator(validator),
		kad.ValueDatastore(valueStore{validator, cfg.Registers, counts}),
		kad.MaxRecordAge(0),
		kad.ValueGCInterval(0),
	}
}

// valueCounts is how often others put values, in all.
type valueCounts struct{ kept, refused atomic.Uint64 }

// valueStore is the store seen as the go-datastore that the library keeps its values
// in. The library validates and compares before it writes; what is stored is none the
// less for the store to say, because two writers may pass the comparison at once and
// because only the store knows what it is responsible for. An error of Put makes the
// library reset the stream, which is all the refusal that the protocol knows.
//
// Nothing can be deleted or listed this way.
type valueStore struct {
	validator Validator
	registers Registers
	counts    *valueCounts
}

// Get is the value that the library filed under a key, in its own encoding.
func (v valueStore) Get(ctx context.Context, key ds.Key) ([]byte, error) {
	name, err := libraryKey(key)
	if err != nil {
		return nil, ds.ErrNotFound
	}
	id, err := records.ParseRegisterKey(name)
	if err != nil {
		return nil, ds.ErrNotFound
	}
	r, err := v.registers.Register(ctx, id.Place())
	switch {
	case err != nil:
		return nil, fmt.Errorf("value under %s: %w", name, err)
	case r == nil:
		return nil, ds.ErrNotFound
	}
	return encodeValue(name, r.Bytes()), nil
}

func (v valueStore) Has(ctx context.Context, key ds.Key) (bool, error) {
	return ds.GetBackedHas(ctx, v, key)
}

func (v valueStore) GetSize(ctx context.Context, key ds.Key) (int, error) {
	return ds.GetBackedSize(ctx, v, key)
}

// Put keeps a value that the library has validated.
func (v valueStore) Put(ctx context.Context, key ds.Key, entry []byte) error {
	err := v.put(ctx, key, entry)
	if err != nil {
		v.counts.refused.Add(1)
		return err
	}
	v.counts.kept.Add(1)
	return nil
}

func (v valueStore) put(ctx context.Context, key ds.Key, entry []byte) error {
	filed, err := libraryKey(key)
	if err != nil {
		return err
	}
	name, value, err := decodeValue(entry)
	if err != nil {
		return err
	}
	if name != filed {
		return fmt.Errorf("%w: value of %.80q filed under %.80q", errEntry, name, filed)
	}
	put, err := v.validator.open(name, value)
	if err != nil {
		return err
	}
	return v.registers.Keep(ctx, put)
}

var (
	errEntry  = errors.New("not an entry of kad-dht's value store")
	errDelete = errors.New("registers are not deleted: put a tombstone")
)

func (valueStore) Delete(context.Context, ds.Key) error { return errDelete }

// Query finds nothing: what is held is for [Registers] to list.
func (valueStore) Query(_ context.Context, q query.Query) (query.Results, error) {
	return query.ResultsWithEntries(q, nil), nil
}

func (valueStore) Sync(context.Context, ds.Key) error { return nil }

func (valueStore) Close() error { return nil }

// Batch writes one by one.
func (v valueStore) Batch(context.Context) (ds.Batch, error) { return ds.NewBasicBatch(v), nil }

// libraryKey is the key of kad-dht's that the library files under
// /<namespace>/<base32 of the key>.
func libraryKey(key ds.Key) (string, error) {
	parts := strings.Split(key.String(), "/")
	if len(parts) != 3 || len(parts[2]) > 2*maxValueKey {
		return "", fmt.Errorf("%w: key %.80q", errEntry, key)
	}
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(parts[2])
	if err != nil {
		return "", fmt.Errorf("%w: key %.80q: %w", errEntry, key, err)
	}
	return string(b), nil
}

// maxValueKey is more bytes than the key of any register has.
const maxValueKey = 256

// Fields of go-libp2p-record's Record, which the library writes.
const (
	valueKeyField   = 1
	valueField      = 2
	valueTimesField = 5 // when it was received, as text
)

func encodeValue(key string, value []byte) []byte {
	b := protowire.AppendTag(nil, valueKeyField, protowire.BytesType)
	b = protowire.AppendString(b, key)
	b = protowire.AppendTag(b, valueField, protowire.BytesType)
	return protowire.AppendBytes(b, value)
}

// decodeValue reads what the library writes: three fields of bytes at most, each once.
func decodeValue(b []byte) (key string, value []byte, err error) {
	seen := map[protowire.Number]bool{}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		known := num == valueKeyField || num == valueField || num == valueTimesField
		if n < 0 || typ != protowire.BytesType || !known || seen[num] {
			return "", nil, errEntry
		}
		seen[num] = true
		field, m := protowire.ConsumeBytes(b[n:])
		if m < 0 {
			return "", nil, errEntry
		}
		b = b[n+m:]
		if num == valueKeyField {
			key = string(field)
		}
		if num == valueField {
			value = field
		}
	}
	return key, value, nil
}

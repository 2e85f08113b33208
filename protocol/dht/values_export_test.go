package dht

import (
	"context"
	"encoding/base32"
	"strings"

	ds "github.com/ipfs/go-datastore"
)

// ValueStore is the datastore that the library's values are in.
func ValueStore(v Validator, r Registers) ds.Batching { return valueStore{v, r, &valueCounts{}} }

// PutValue files an entry as the library does.
func PutValue(ctx context.Context, v Validator, r Registers, at string, entry []byte) error {
	return valueStore{v, r, &valueCounts{}}.put(ctx, ds.RawKey("/"+strings.Trim(at, "/")), entry)
}

// FiledAt is where the library files a key of a namespace.
func FiledAt(namespace, key string) string {
	return "/" + namespace + "/" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(key))
}

func EncodeValue(key string, value []byte) []byte                { return encodeValue(key, value) }
func DecodeValue(b []byte) (key string, value []byte, err error) { return decodeValue(b) }

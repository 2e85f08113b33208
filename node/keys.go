package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/starling-social/starling/protocol"
	"github.com/starling-social/starling/records"
)

// Keys are the two identities in a data directory: the person who publishes and
// the node that carries. They are unrelated, so that a node can be replaced
// without losing the person, and a person seen without showing the node.
type Keys struct {
	Person records.Key
	Node   crypto.PrivKey
}

// The key files, PEM of PKCS #8 as written by `openssl genpkey -algorithm
// ed25519`, readable by their owner alone.
const (
	personFile = "person.key"
	nodeFile   = "node.key"
	maxKeyFile = 4 << 10 // bytes; a PEM of 48 bytes takes 119
)

// ErrNoKeys means that the directory has no keys yet: the node was never started.
var ErrNoKeys = errors.New("no keys here yet: start the node once with 'starling run'")

// ReadKeys reads the keys of a data directory, [ErrNoKeys] if it has none.
func ReadKeys(dir string) (Keys, error) {
	person, err := readKey(filepath.Join(dir, personFile))
	if err != nil {
		return Keys{}, err
	}
	node, err := readKey(filepath.Join(dir, nodeFile))
	if err != nil {
		return Keys{}, err
	}
	return keysOf(person, node)
}

// LoadKeys reads the keys of a data directory and makes those that are missing.
// Making a node key solves the network's puzzle; progress, unless nil, is told of
// it. What is made is on disk before LoadKeys returns.
func LoadKeys(ctx context.Context, dir string, n records.Network, progress func(tries, expected uint64)) (Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Keys{}, fmt.Errorf("make data directory: %w", unwritable(err))
	}
	person, err := loadKey(filepath.Join(dir, personFile), newPersonKey)
	if err != nil {
		return Keys{}, err
	}
	node, err := loadKey(filepath.Join(dir, nodeFile), func() (ed25519.PrivateKey, error) {
		return mineNodeKey(ctx, n, progress)
	})
	if err != nil {
		return Keys{}, err
	}
	return keysOf(person, node)
}

func keysOf(person, node ed25519.PrivateKey) (Keys, error) {
	identity, err := crypto.UnmarshalEd25519PrivateKey(node)
	if err != nil {
		return Keys{}, fmt.Errorf("node key: %w", err)
	}
	return Keys{Person: records.KeyFromSeed([32]byte(person.Seed())), Node: identity}, nil
}

func newPersonKey() (ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return private, err
}

func mineNodeKey(ctx context.Context, n records.Network, progress func(tries, expected uint64)) (ed25519.PrivateKey, error) {
	var report func(uint64)
	if progress != nil {
		report = func(tries uint64) { progress(tries, protocol.ExpectedTries(n)) }
	}
	key, err := protocol.Mine(ctx, n, runtime.GOMAXPROCS(0), report)
	if err != nil {
		return nil, err
	}
	raw, err := key.Raw()
	if err != nil {
		return nil, fmt.Errorf("node key: %w", err)
	}
	return raw, nil
}

// loadKey reads the key at path, or makes it and puts it there whole or not at
// all; when another process was quicker, its key is the one.
func loadKey(path string, create func() (ed25519.PrivateKey, error)) (ed25519.PrivateKey, error) {
	key, err := readKey(path)
	if !errors.Is(err, ErrNoKeys) {
		return key, err
	}
	if key, err = create(); err != nil {
		return nil, fmt.Errorf("make %s: %w", filepath.Base(path), err)
	}
	if err := writeKey(path, key); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return readKey(path)
}

// unwritable is an error of a directory that keys cannot be written to: the store could
// not be either.
func unwritable(err error) error {
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrDenied, err)
	default:
		return err
	}
}

func readKey(path string) (ed25519.PrivateKey, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, ErrNoKeys)
	}
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("key %s is not a file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key %s can be read by others: run chmod 600 on it", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	return parseKey(path, b)
}

func parseKey(path string, b []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("key %s is damaged: no PEM in it; restore it from a backup", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("key %s is damaged: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("key %s is not an Ed25519 key", path)
	}
	return key, nil
}

// writeKey links a synced file to path: it fails if there is one already.
func writeKey(path string, key ed25519.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode key: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write key: %w", unwritable(err))
	}
	defer func() { _ = os.Remove(f.Name()) }()
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // a directory opened for reading
	return d.Sync()
}

// PeerID is the id under which the node of these keys is known.
func (k Keys) PeerID() (peer.ID, error) { return peer.IDFromPrivateKey(k.Node) }

package api

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"runtime"
	"strings"
)

// NewToken is 256 random bits, in hexadecimal.
func NewToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: see crypto/rand
	return hex.EncodeToString(b[:])
}

// ErrToken means that the file of a token cannot be used.
var ErrToken = errors.New("token file")

// What a token can be: 128 bits at least, if it is random.
var (
	hexToken = regexp.MustCompile(`^[0-9a-fA-F]{32,512}$`)
	anyToken = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]{22,512}$`) // what RFC 6750 lets a bearer have
)

// leastVariety is how many different characters a random token has, nearly always:
// 32 hexadecimal digits have fewer in one of ten million.
const leastVariety = 8

// TokenFile reads a token that outlives its node, for callers from elsewhere. Where
// there is no file yet, it makes one with a new token. Nobody but its owner may be
// able to read it. Errors are [ErrToken].
func TokenFile(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return readToken(path)
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrToken, err)
	}
	token := NewToken()
	_, err = f.WriteString(token + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", fmt.Errorf("%w: %w", ErrToken, errors.Join(err, os.Remove(path)))
	}
	return token, nil
}

func readToken(path string) (string, error) {
	info, err := os.Stat(path) // first, because opening a pipe waits
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrToken, err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%w %s: it is no file", ErrToken, path)
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows":
		return "", fmt.Errorf("%w %s: others can read it (mode %04o): chmod 600 it", ErrToken, path, info.Mode().Perm())
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrToken, err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	b, err := io.ReadAll(io.LimitReader(f, maxEndpoint))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrToken, err)
	}
	token := strings.TrimSpace(string(b))
	if !strong(token) {
		return "", fmt.Errorf("%w %s: no token of 128 bits or more: want 32 random hexadecimal digits, or 22 of base64; without a file, one is made", ErrToken, path)
	}
	return token, nil
}

func strong(token string) bool {
	variety := map[rune]bool{}
	for _, c := range token {
		variety[c] = true
	}
	long := hexToken.MatchString(token) || anyToken.MatchString(token) && strings.Trim(token, "0123456789abcdefABCDEF") != ""
	return long && len(variety) >= leastVariety
}

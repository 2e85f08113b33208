package dht

import (
	"errors"
	"fmt"
	"time"

	"github.com/starling-social/starling/records"
)

// Validator says what may stand under a key of kad-dht's own value store: under
// /profile/<user>, /identity/<user> and /service/<user>/<name> the register of that
// name, verified by the door, and nothing else anywhere. It is a record.Validator of
// go-libp2p-record, for all three namespaces, and safe for concurrent use. Clients
// that speak kad-dht use it too.
type Validator struct {
	door *records.Door
	now  func() time.Time
}

// NewValidator makes the validator of the door's network. A nil now is time.Now.
func NewValidator(door *records.Door, now func() time.Time) Validator {
	if now == nil {
		now = time.Now
	}
	return Validator{door, now}
}

// Validate tells why a value cannot stand under a key: records.ErrNotRegister,
// records.ErrWrongOwner and records.ErrMisplaced of the key, else what the door says.
// A version that has expired passes: it holds its key, so that nothing older returns.
func (v Validator) Validate(key string, value []byte) error {
	_, err := v.open(key, value)
	return err
}

// open is the register's version that a value is.
func (v Validator) open(key string, value []byte) (put records.Put, err error) {
	id, err := records.ParseRegisterKey(key)
	if err != nil {
		return put, err
	}
	put.Place = id.Place()
	if put.Record, err = v.door.Open(value, v.now()); err != nil {
		return put, fmt.Errorf("value under %s: %w", key, err)
	}
	if err := records.Fits(put.Record, put.Place); err != nil {
		return put, fmt.Errorf("value under %s: %w", key, err)
	}
	return put, nil
}

var errNoValue = errors.New("none of the values is valid")

// Select is the index of the value that wins: by epoch, rev and record id, a total
// order, so that whatever the order of values the same version is chosen. Of equal
// versions it is the first, and values that are not valid are passed over.
func (v Validator) Select(key string, values [][]byte) (int, error) {
	best, chosen := -1, records.Put{}
	reason := errNoValue
	for i, value := range values {
		put, err := v.open(key, value)
		switch {
		case err != nil:
			reason = err
		case best < 0 || put.Record.Wins(chosen.Record):
			best, chosen = i, put
		}
	}
	if best < 0 {
		return 0, fmt.Errorf("%w under %.80q: %w", errNoValue, key, reason)
	}
	return best, nil
}

package records

import (
	"errors"
	"fmt"
)

// What [Open], [Fits] and the parsers refuse. Each says what the one who sent
// the bytes did wrong; a relay may count it against that peer.
var (
	ErrTooLarge     = errors.New("record is larger than 8 KiB")                   // do not send it again
	ErrMalformed    = errors.New("record is malformed")                           // not our encoding, or breaks a rule of its kind
	ErrWrongNetwork = errors.New("record belongs to another network")             // it may be valid there
	ErrWork         = errors.New("record carries too little proof of work")       // cheap to make, so refused before the signature is looked at
	ErrFuture       = errors.New("record is dated in the future")                 // may be sent again once its time has come
	ErrCertificate  = errors.New("device certificate does not hold")              // the device is not the author's
	ErrSignature    = errors.New("signature does not hold")                       // forged or damaged
	ErrMisplaced    = errors.New("record does not belong to this place")          // valid, but not here
	ErrCorrupt      = errors.New("stored record does not match its digest")       // the disk changed it
	ErrNotUser      = errors.New("not a user: want did:key:z6Mk…")                // a typing error
	ErrNotPost      = errors.New("not a post id: want 96 characters from p…")     // a typing error
	ErrNotCursor    = errors.New("not a cursor of a timeline")                    // a typing error
	ErrNotTag       = errors.New("not a hashtag: want 1 to 64 letters or digits") // a typing error
	ErrNotPlace     = errors.New("not a place")                                   // malformed or not canonical
	ErrNotNetwork   = errors.New("not a network name: want 1 to 32 of a-z, 0-9 and -")
	ErrNotRegister  = errors.New("not a register: want /profile/z6Mk…, /identity/z6Mk… or /service/z6Mk…/NAME")
)

// Why one version does not replace another that is held, as [Refusal] tells. Each
// is proved by the version that is held.
var (
	ErrTooOld     = errors.New("too old: a version of a later certificate epoch is held") // the device that signed was revoked
	ErrHaveNewer  = errors.New("a newer version is held")                                 // read it, and write the one after it
	ErrConflict   = errors.New("another version of the same revision is held")            // two writers, or one key in two hands
	ErrExpired    = errors.New("the version has expired")                                 // it still holds its key: nothing older returns
	ErrWrongOwner = fmt.Errorf("only its owner writes this: %w", ErrMisplaced)            // whoever signed is not the one that the place is of
)

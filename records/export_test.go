package records

// Forge makes the record that Seal would, without proof and signature, so that a
// test can have a hundred thousand of them.
func Forge(n Network, author User, d Draft) (*Record, error) {
	payload, err := d.encode(Signer{Author: author})
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if _, err := parsePayload(payload, r); err != nil {
		return nil, err
	}
	r.bytes, r.id = payload, recordID(n, payload)
	return r, nil
}

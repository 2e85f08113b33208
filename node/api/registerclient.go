package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

func registerPath(base, user, name string) string {
	return base + "/" + url.PathEscape(user) + "/" + name // names need no escaping
}

// PutRegister writes one of the owner's registers. When another version stands, the
// error is a [*Problem] that shows it.
func (c *Client) PutRegister(ctx context.Context, name string, d RegisterDraft) (out RegisterReceipt, err error) {
	err = c.ask(ctx, http.MethodPut, registerPath(registersPath, "me", name), d, &out)
	return out, err
}

// DeleteRegister writes a tombstone, of a certain revision if expect is not nil.
func (c *Client) DeleteRegister(ctx context.Context, name string, expect *uint64) (out RegisterReceipt, err error) {
	path := registerPath(registersPath, "me", name)
	if expect != nil {
		path += "?" + "expect" + "=" + strconv.FormatUint(*expect, 10)
	}
	err = c.ask(ctx, http.MethodDelete, path, nil, &out)
	return out, err
}

// Register reads what stands in a register; with first the version shown first.
func (c *Client) Register(ctx context.Context, user, name string, first bool) (out Register, err error) {
	path := registerPath(registersPath, user, name)
	if first {
		path += "?" + "first" + "=true"
	}
	err = c.ask(ctx, http.MethodGet, path, nil, &out)
	return out, err
}

// History asks which versions of a register the node has written or read.
func (c *Client) History(ctx context.Context, user, name string) (out History, err error) {
	err = c.ask(ctx, http.MethodGet, registerPath(historyPath, user, name), nil, &out)
	return out, err
}

// Consent has the owner agree to a relation in somebody's register.
func (c *Client) Consent(ctx context.Context, to ConsentTo) (out Consent, err error) {
	err = c.ask(ctx, http.MethodPost, consentsPath, to, &out)
	return out, err
}

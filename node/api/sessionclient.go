package api

import (
	"context"
	"net/http"
)

// Invitation is where a page signs in. It is a secret until it was used.
type Invitation struct {
	URL     string `json:"url"` // with the code behind the #, which browsers keep to themselves
	Seconds int    `json:"expires_in_s"`
}

// SignIn asks for a code and says where to use it.
func (c *Client) SignIn(ctx context.Context) (Invitation, error) {
	var out SignInCode
	if err := c.ask(ctx, http.MethodPost, codePath, nil, &out); err != nil {
		return Invitation{}, err
	}
	return Invitation{URL: "http://" + c.endpoint.API + "/#code=" + out.Code, Seconds: out.Seconds}, nil
}

package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/starling-social/starling/node"
	"github.com/starling-social/starling/node/api"
	"github.com/starling-social/starling/web"
)

// checkListeners tells what is wrong with where the node is to answer, before anything
// is made.
func (c *configured) checkListeners() error {
	if err := api.CheckAddr(c.API.Listen, c.API.TokenFile != ""); err != nil {
		return usage("api.listen (%s): %w", c.originOf("api.listen"), err)
	}
	if c.Public.Listen != "" {
		if err := api.CheckPublic(c.Public.Listen); err != nil {
			return usage("public.listen (%s): %w", c.originOf("public.listen"), err)
		}
	}
	if err := api.CheckAddr(c.Admin.Listen, c.Admin.TokenFile != ""); err != nil {
		return usage("admin.listen (%s): %w", c.originOf("admin.listen"), err)
	}
	for key, names := range map[string][]string{"api.hosts": c.API.Hosts, "public.hosts": c.Public.Hosts, "admin.hosts": c.Admin.Hosts} {
		for _, name := range names {
			if err := api.CheckHost(name); err != nil {
				return usage("%s (%s): %w", key, c.originOf(key), err)
			}
		}
	}
	if _, err := c.proxies(); err != nil {
		return usage("public.proxies (%s): %w", c.originOf("public.proxies"), err)
	}
	return nil
}

// proxies are addresses and prefixes, all as prefixes.
func (c *configured) proxies() (all []netip.Prefix, err error) {
	for _, text := range c.Public.Proxies {
		p, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); aerr == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%.80q: want an IP address or a prefix such as 10.0.0.0/8", text)
		}
		all = append(all, p)
	}
	return all, nil
}

// metrics is where the node counts, if there is a listener to show it; else nil.
func (c *configured) metrics(out *api.ServerConfig, log *slog.Logger) *prometheus.Registry {
	if c.Admin.Listen == "" {
		return nil
	}
	m := api.NewMetrics()
	out.Admin.Handler, out.Metrics = api.Operate(m, log.With("part", "api")), m
	return m
}

// serve makes the server of a node, and leaves word in its directory where it answers.
// After an error nothing of it is left open.
func (c *configured) serve(out api.ServerConfig, n *node.Node, dir string, log *slog.Logger) (_ *api.Server, _ api.Endpoint, err error) {
	out.Node, out.Store, out.Page, out.Log = n, n.Store(), web.Handler(), log.With("part", "api")
	opened, err := c.listen(&out)
	e := api.Endpoint{}
	if err == nil {
		e = api.EndpointOf(out.Listener.Addr(), out.Token)
		err = e.Write(dir)
	}
	if err != nil {
		for _, l := range opened {
			err = errors.Join(err, l.Close())
		}
		return nil, api.Endpoint{}, err
	}
	if out.Admin.Listener != nil {
		log.Info("metrics and profiles are served", "addr", out.Admin.Listener.Addr().String())
	}
	return api.NewServer(out), e, nil
}

// serving is what a server is told of the settings.
func (c *configured) serving() (out api.ServerConfig, err error) {
	out.Hosts, out.Creates = c.API.Hosts, c.API.PostsPerHour
	out.Public.Hosts, out.Admin.Hosts = c.Public.Hosts, c.Admin.Hosts
	if out.Public.Proxies, err = c.proxies(); err != nil {
		return out, err
	}
	out.Token = api.NewToken()
	if c.API.TokenFile != "" {
		if out.Token, err = api.TokenFile(c.API.TokenFile); err != nil {
			return out, fmt.Errorf("api.token_file: %w", err)
		}
	}
	if c.Admin.TokenFile != "" {
		if out.Admin.Token, err = api.TokenFile(c.Admin.TokenFile); err != nil {
			return out, fmt.Errorf("admin.token_file: %w", err)
		}
	}
	return out, nil
}

// listen opens the listeners that are set. Those that it opened before an error are
// given with it.
func (c *configured) listen(out *api.ServerConfig) (opened []net.Listener, err error) {
	for _, one := range []struct {
		wanted bool
		at     *net.Listener
		listen func() (net.Listener, error)
	}{
		{true, &out.Listener, func() (net.Listener, error) { return api.Listen(c.API.Listen, c.API.TokenFile != "") }},
		{c.Public.Listen != "", &out.Public.Listener, func() (net.Listener, error) { return api.ListenPublic(c.Public.Listen) }},
		{c.Admin.Listen != "", &out.Admin.Listener, func() (net.Listener, error) { return api.Listen(c.Admin.Listen, c.Admin.TokenFile != "") }},
	} {
		if !one.wanted {
			continue
		}
		if *one.at, err = one.listen(); err != nil {
			return opened, err
		}
		opened = append(opened, *one.at)
	}
	return opened, nil
}

package nodetest

import (
	"fmt"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
)

// Host starts a libp2p host with identify on a node. The caller closes it.
func (l *Links) Host(node int, key crypto.PrivKey, opts ...libp2p.Option) (host.Host, error) {
	opts = append([]libp2p.Option{libp2p.Identity(key)}, opts...)
	h, err := libp2p.New(append(opts, l.HostOptions(node)...)...)
	if err != nil {
		return nil, fmt.Errorf("start host on node %d: %w", node, err)
	}
	return h, nil
}

// HostOptions makes a host live on a node: its transport and address, no encryption, and none of the parts of a host that need a real network.
// They come after all other options, for they leave a resource manager that was chosen before in place.
func (l *Links) HostOptions(node int) []libp2p.Option {
	return []libp2p.Option{
		libp2p.Transport(l.Transport(node)),
		libp2p.ListenAddrs(l.Addr(node)),
		libp2p.NoSecurity,
		unlimited,
		libp2p.DisableMetrics(),
		libp2p.DisableRelay(),
		libp2p.DisableIdentifyAddressDiscovery(),
	}
}

// unlimited spares small tests the accounting of resources.
func unlimited(cfg *libp2p.Config) error {
	if cfg.ResourceManager == nil {
		cfg.ResourceManager = &network.NullResourceManager{}
	}
	return nil
}

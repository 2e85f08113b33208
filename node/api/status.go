package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
)

func (s *Server) statusOperations(a *operations) {
	add(a, operation{
		route: "GET /healthz", id: "getHealth", group: groupNode, ready: true,
		summary: "Sign of life",
		text:    "Says that the process answers, and nothing else.",
	}, s.health)
	add(a, operation{
		route: "GET /readyz", id: "getReadiness", group: groupNode, ready: true,
		summary: "Whether the node can do its work",
		text:    "Status 200 if it can, else 503 and why not. A node that is idle, alone or full up to its quota can.",
	}, s.ready)
	answers := a.OpenAPI().Paths["/readyz"].Get.Responses
	answers["503"] = &huma.Response{Description: "It cannot, and why not.", Content: answers["200"].Content}
	add(a, operation{
		route: "GET /v1/status", id: "getStatus", group: groupNode, ready: true,
		summary: "How the node is",
		text:    "Who it is, whom it knows, what it keeps and how well that is known to be what its neighbours keep.",
	}, s.status)
	add(a, operation{
		route: "GET /v1/peers", id: "listPeers", group: groupNode, ready: true,
		summary: "The connected peers",
	}, s.peers)
}

// Health is a sign of life.
type Health struct {
	Status string `json:"status" enum:"ok" doc:"Always ok: else there is no answer."`
}

func (s *Server) health(context.Context, *nothing) (*body[Health], error) {
	return &body[Health]{Health{"ok"}}, nil
}

func (s *Server) status(context.Context, *nothing) (*body[Status], error) {
	return &body[Status]{statusOf(s.Node.Status(), s.Node.User())}, nil
}

func (s *Server) peers(context.Context, *nothing) (*body[Peers], error) {
	out := Peers{Peers: []Peer{}}
	for _, p := range s.Node.Peers() {
		out.Peers = append(out.Peers, peerOf(p))
	}
	return &body[Peers]{out}, nil
}

package alerting

import (
	"context"
	"fmt"
	"net/http"

	"imwatch/alerting/api"
	"imwatch/alerting/egress"
	"imwatch/alerting/oidc"
)

// people are those whose tokens are of an OpenID Connect provider.
type people struct {
	verifier *oidc.Verifier
	client   *http.Client
}

// newPeople makes them; nil: none are configured. The provider may stand in the own network, and is reached through the proxy that
// the environment names.
func newPeople(cfg oidc.Config, deps Deps) (*people, error) {
	if !cfg.On() {
		return nil, nil //nolint:nilnil // as said
	}
	client, err := egress.New(egress.Options{AllowPrivate: true, UseProxy: true, CAFile: cfg.CAFile})
	if err != nil {
		return nil, fmt.Errorf("api.oidc.ca_file: %w", err)
	}
	return &people{oidc.New(cfg, api.Roles(), client, deps.Now, deps.Log), client}, nil
}

func (p *people) run(ctx context.Context) {
	defer p.client.CloseIdleConnections()
	p.verifier.Run(ctx)
}

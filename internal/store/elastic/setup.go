package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/elastic/go-elasticsearch/v8/esapi"
)

// Setup installs the index templates and, where the cluster has index lifecycle management, the policies that delete
// old indices. What is there under the same names is replaced. Indices that exist already keep their mapping.
func (s *Store) Setup(ctx context.Context) error {
	ilm, err := s.Lifecycle(ctx)
	if err != nil {
		return err
	}
	kinds := s.cfg.kinds()
	if ilm {
		for _, k := range kinds {
			if k.days == 0 {
				continue
			}
			req := func(body []byte) esapi.Request {
				return esapi.ILMPutLifecycleRequest{Policy: k.name, Body: bytes.NewReader(body)}
			}
			if err := s.install(ctx, "lifecycle policy "+k.name, req, k.policy()); err != nil {
				return err
			}
		}
	}
	for _, c := range s.cfg.components() {
		req := func(body []byte) esapi.Request {
			return esapi.ClusterPutComponentTemplateRequest{Name: c.name, Body: bytes.NewReader(body)}
		}
		if err := s.install(ctx, "component template "+c.name, req, c.body); err != nil {
			return err
		}
	}
	for _, k := range kinds {
		req := func(body []byte) esapi.Request {
			return esapi.IndicesPutIndexTemplateRequest{Name: k.name, Body: bytes.NewReader(body)}
		}
		if err := s.install(ctx, "index template "+k.name, req, k.template(ilm)); err != nil {
			return err
		}
	}
	s.log.WithField("ilm", ilm).Info("Elasticsearch is set up")
	return nil
}

func (s *Store) install(ctx context.Context, what string, req func(body []byte) esapi.Request, body obj) error {
	text, err := json.Marshal(body)
	if err == nil {
		err = s.client.do(ctx, req(text), nil)
	}
	if err != nil {
		return fmt.Errorf("installing %s: %w", what, err)
	}
	return nil
}

// Lifecycle asks the cluster whether it has index lifecycle management. OpenSearch, and distributions without the
// plugin, do not know the request; a serverless project has it switched off (410).
func (s *Store) Lifecycle(ctx context.Context) (bool, error) {
	err := s.client.do(ctx, esapi.ILMGetLifecycleRequest{}, nil)
	unknown := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone}
	if slices.Contains(unknown, status(err)) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking for index lifecycle management: %w", err)
	}
	return true, nil
}

package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"imwatch/detector/kql/kqltest"
)

// TestKQL compares what queries select in memory, through this adapter and as Kibana asks for them.
func TestKQL(t *testing.T) {
	s := onCluster(t, DefaultConfig())
	if err := s.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	kqltest.Run(t, s, rounds(), func(ctx context.Context, index string, query map[string]any) ([]string, error) {
		body, err := json.Marshal(obj{"query": query, "size": 1000, "_source": false})
		if err != nil {
			return nil, err
		}
		var got answer
		if err := s.client.do(ctx, esapi.SearchRequest{Index: []string{index}, Body: bytes.NewReader(body)}, &got); err != nil {
			return nil, err
		}
		var ids []string
		for _, h := range got.Hits.Hits {
			ids = append(ids, h.ID)
		}
		return ids, nil
	})
}

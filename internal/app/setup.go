package app

import (
	"context"
	"errors"
	"fmt"

	"imwatch/kibana"
)

// SetupKeys are the parts of the configuration that setup needs.
func SetupKeys() []string {
	return []string{"log", "topics", "kafka", "elasticsearch", "kibana", "detector"}
}

// Setup makes topics, templates, policies and Kibana objects on the configured cluster. It can be run again.
func Setup(ctx context.Context, cfg Config, streams Streams) (err error) {
	s := newSite(cfg, streams)
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.openKafka(); err != nil {
		return err
	}
	if err := s.openElastic(); err != nil {
		return err
	}
	if err := s.makeParts(ctx); err != nil {
		return err
	}
	for _, t := range cfg.topics() {
		fmt.Fprintf(streams.Out, "topic %s: ready\n", t.Name)
	}
	own, err := s.store.Lifecycle(ctx)
	if err != nil {
		return fmt.Errorf("asking for lifecycle management: %w", err)
	}
	by := "the cluster has no ILM: the index role deletes old days itself"
	if own {
		by = "by the cluster's ILM policies"
	}
	fmt.Fprintf(streams.Out, "index templates: ready\nretention: errors 180 d, warnings 90 d, the rest 30 d, %s\n", by)
	if cfg.Kibana.URL == "" {
		fmt.Fprintln(streams.Out, "Kibana: kibana.url is not set, nothing imported")
		return nil
	}
	if err := kibana.Install(ctx, cfg.Kibana); err != nil {
		return err
	}
	fmt.Fprintln(streams.Out, "Kibana: data views, searches and dashboard imported")
	return nil
}

package elastic

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"imwatch/event"
)

// Config says how to reach the cluster and how indices are made. Begin with DefaultConfig.
type Config struct {
	Addresses          []string       `yaml:"addresses" doc:"http or https addresses of the nodes, asked in turn"`
	Username           string         `yaml:"username" doc:"user for basic authentication"`
	Password           string         `yaml:"password" doc:"password of the user" secret:"true"`
	APIKey             string         `yaml:"api_key" doc:"API key, base64 as Kibana shows it; in place of user and password" secret:"true"`
	CAFile             string         `yaml:"ca_file" doc:"PEM file of the authorities to trust; empty: those of the system"`
	InsecureSkipVerify bool           `yaml:"insecure_skip_verify" doc:"do not check the nodes' certificates; for trials only"`
	Timeout            time.Duration  `yaml:"timeout" doc:"how long one request may take"`
	MaxBulkBytes       int            `yaml:"max_bulk_bytes" doc:"largest _bulk request in bytes; a larger batch goes in several"`
	Shards             int            `yaml:"shards" doc:"primary shards of each index that is made"`
	Replicas           int            `yaml:"replicas" doc:"copies of each shard beside the primary"`
	ShardsByClass      map[string]int `yaml:"shards_by_class" doc:"primary shards of indices of events by class (error, warn, info), in place of shards"`
	Codec              string         `yaml:"codec" doc:"how documents are packed: default (fast) or best_compression (a third less on disk, for some CPU)"`
	RefreshInterval    time.Duration  `yaml:"refresh_interval" doc:"how often what was indexed is made visible to searches, in indices of events; 0: Elasticsearch decides, every second where somebody has searched within 30 s, else with the next search"`
	DeadLetterDays     int            `yaml:"dead_letter_days" doc:"days that dead letters are kept, where the cluster deletes by itself (ILM)"`
	AlertDays          int            `yaml:"alert_days" doc:"days that alerts and notifications are kept, where the cluster deletes by itself (ILM)"`
}

// How documents are packed.
const (
	CodecDefault = "default"
	CodecBest    = "best_compression"
)

// DefaultConfig returns the settings for one node on this machine.
func DefaultConfig() Config {
	return Config{
		Addresses: []string{"http://127.0.0.1:9200"}, Timeout: 30 * time.Second, MaxBulkBytes: 8 << 20,
		Shards: 1, Replicas: 1, Codec: CodecDefault, DeadLetterDays: 30, AlertDays: 365,
	}
}

// Validate returns all faults joined, each naming its key.
func (c Config) Validate() error {
	var errs []error
	fault := func(bad bool, key, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
		}
	}
	within := func(key string, n, least, most int) {
		fault(n < least || n > most, key, "%d is not within %d to %d", n, least, most)
	}
	fault(len(c.Addresses) == 0, "addresses", "at least one is needed")
	for i, a := range c.Addresses {
		u, err := url.Parse(a)
		fault(err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https", fmt.Sprintf("addresses[%d]", i), "not an http or https address")
		fault(err == nil && u.User != nil, fmt.Sprintf("addresses[%d]", i), "carries a user; give username and password instead")
	}
	fault((c.Username == "") != (c.Password == ""), "username, password", "one without the other")
	fault(c.APIKey != "" && c.Username != "", "api_key", "given beside username; one of them is enough")
	fault(c.CAFile != "" && c.InsecureSkipVerify, "insecure_skip_verify", "given beside ca_file; one of them is enough")
	fault(c.Timeout < time.Second || c.Timeout > 10*time.Minute, "timeout", "%s is not within 1s to 10m", c.Timeout)
	within("max_bulk_bytes", c.MaxBulkBytes, 64<<10, 64<<20)
	within("shards", c.Shards, 1, 1024)
	within("replicas", c.Replicas, 0, 100)
	for _, class := range slices.Sorted(maps.Keys(c.ShardsByClass)) {
		key := "shards_by_class." + class
		if err := oneOf(class, classes()); err != nil {
			fault(true, key, "no class of events: %v", err)
			continue
		}
		within(key, c.ShardsByClass[class], 1, 1024)
	}
	if err := oneOf(c.Codec, []string{CodecDefault, CodecBest}); err != nil {
		fault(true, "codec", "%v", err)
	}
	fault(c.RefreshInterval != 0 && (c.RefreshInterval < 100*time.Millisecond || c.RefreshInterval > time.Hour), "refresh_interval",
		"found %s, allowed are 0 (as Elasticsearch does) and 100ms to 1h", c.RefreshInterval)
	within("dead_letter_days", c.DeadLetterDays, 1, 36500)
	within("alert_days", c.AlertDays, 1, 36500)
	return errors.Join(errs...)
}

// classes gives the names of the classes of events.
func classes() (names []string) {
	for _, c := range event.Classes() {
		names = append(names, c.Name)
	}
	return names
}

// oneOf says what is allowed in place of what was found, and what is nearest.
func oneOf(found string, allowed []string) error {
	if slices.Contains(allowed, found) {
		return nil
	}
	hint := ""
	if near := event.Nearest(found, allowed); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Errorf("found %q, allowed are %s%s", found, strings.Join(allowed, ", "), hint)
}

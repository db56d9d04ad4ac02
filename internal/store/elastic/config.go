package elastic

import (
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Config says how to reach the cluster and how indices are made. Begin with DefaultConfig.
type Config struct {
	Addresses          []string      `yaml:"addresses" doc:"http or https addresses of the nodes, asked in turn"`
	Username           string        `yaml:"username" doc:"user for basic authentication"`
	Password           string        `yaml:"password" doc:"password of the user" secret:"true"`
	APIKey             string        `yaml:"api_key" doc:"API key, base64 as Kibana shows it; in place of user and password" secret:"true"`
	CAFile             string        `yaml:"ca_file" doc:"PEM file of the authorities to trust; empty: those of the system"`
	InsecureSkipVerify bool          `yaml:"insecure_skip_verify" doc:"do not check the nodes' certificates; for trials only"`
	Timeout            time.Duration `yaml:"timeout" doc:"how long one request may take"`
	MaxBulkBytes       int           `yaml:"max_bulk_bytes" doc:"largest _bulk request in bytes; a larger batch goes in several"`
	Shards             int           `yaml:"shards" doc:"primary shards of each index that is made"`
	Replicas           int           `yaml:"replicas" doc:"copies of each shard beside the primary"`
	DeadLetterDays     int           `yaml:"dead_letter_days" doc:"days that dead letters are kept, where the cluster deletes by itself (ILM)"`
	AlertDays          int           `yaml:"alert_days" doc:"days that alerts and notifications are kept, where the cluster deletes by itself (ILM)"`
}

// DefaultConfig returns the settings for one node on this machine.
func DefaultConfig() Config {
	return Config{
		Addresses: []string{"http://127.0.0.1:9200"}, Timeout: 30 * time.Second, MaxBulkBytes: 8 << 20,
		Shards: 1, Replicas: 1, DeadLetterDays: 30, AlertDays: 365,
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
	within("dead_letter_days", c.DeadLetterDays, 1, 36500)
	within("alert_days", c.AlertDays, 1, 36500)
	return errors.Join(errs...)
}

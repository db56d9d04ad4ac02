package clickhouse

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"imwatch/shipper/index/chunk"
)

// Config says how to reach ClickHouse. Begin with DefaultConfig.
type Config struct {
	URL      string        `yaml:"url" doc:"http or https address of ClickHouse's HTTP interface"`
	Database string        `yaml:"database" doc:"database of the tables events, dead_letters and chunks; made where it is missing"`
	Username string        `yaml:"username" doc:"user; it needs CREATE, ALTER ADD COLUMN, INSERT and SELECT on the database"`
	Password string        `yaml:"password" doc:"password of the user" secret:"true"`
	CAFile   string        `yaml:"ca_file" doc:"PEM file of the authorities to trust; empty: those of the system"`
	Engine   string        `yaml:"engine" doc:"of the tables that are made: ReplacingMergeTree, or ReplicatedReplacingMergeTree on a cluster"`
	Timeout  time.Duration `yaml:"timeout" doc:"how long one request may take"`
	Chunk    chunk.Config  `yaml:"chunk" doc:"how large inserts are"`
}

const (
	enginePlain      = "ReplacingMergeTree"
	engineReplicated = "ReplicatedReplacingMergeTree"
)

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	c := Config{URL: "http://127.0.0.1:8123", Database: "imwatch", Username: "default", Engine: enginePlain, Timeout: time.Minute, Chunk: chunk.DefaultConfig()}
	c.Chunk.Bytes, c.Chunk.Age = 32<<20, 5*time.Second
	return c
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Validate names every fault by its key.
func (c Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	u, err := url.Parse(c.URL)
	fault(err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https", "url: not an http or https address")
	fault(err == nil && u.User != nil, "url: carries a user; give username and password instead")
	fault(!identifier.MatchString(c.Database), "database: %q is not letters, digits and _", c.Database)
	fault(c.Username == "" && c.Password != "", "username: a password is given without one")
	engines := []string{enginePlain, engineReplicated}
	fault(!slices.Contains(engines, c.Engine), "engine: %q is not one of %s", c.Engine, strings.Join(engines, ", "))
	fault(c.Timeout < time.Second || c.Timeout > time.Hour, "timeout: %s is not within 1s to 1h", c.Timeout)
	if err := c.Chunk.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("chunk.%w", err))
	}
	return errors.Join(errs...)
}

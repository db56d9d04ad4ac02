package redis

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Config says where Redis is, and what is done without it.
type Config struct {
	Addrs            []string      `yaml:"addrs" doc:"HOST:PORT of a Redis server; several: of a Redis Cluster, or of the sentinels that know master; empty: this node stands alone"`
	Master           string        `yaml:"master" doc:"name that the sentinels have for the server; empty: addrs are no sentinels"`
	Username         string        `yaml:"username" doc:"account at Redis; empty: its default one"`
	Password         string        `yaml:"password" secret:"true" doc:"password at Redis"`
	SentinelUsername string        `yaml:"sentinel_username" doc:"account at the sentinels"`
	SentinelPassword string        `yaml:"sentinel_password" secret:"true" doc:"password at the sentinels"`
	DB               int           `yaml:"db" doc:"number of the database; 0 with Redis Cluster"`
	Prefix           string        `yaml:"prefix" doc:"what every key and channel begins with; nodes with the same one are one cluster"`
	TLS              TLSConfig     `yaml:"tls"`
	Timeout          time.Duration `yaml:"timeout" doc:"time that connecting, and one call, may take"`
	Connections      int           `yaml:"connections" doc:"calls that are made at a time, each on a connection of its own to each server"`
	Failures         int           `yaml:"failures" doc:"calls in a row that fail until Redis counts as lost"`
	Ping             time.Duration `yaml:"ping" doc:"time between two checks whether Redis is there"`
	Lease            time.Duration `yaml:"lease" doc:"time after which a node that Redis has not heard of is dead to the others"`
	Journal          string        `yaml:"journal" doc:"file that published messages wait in while Redis is lost; empty: they are refused then"`
	JournalBytes     int64         `yaml:"journal_bytes" doc:"size of the journal at which further messages are refused"`
}

// TLSConfig says how Redis is reached by TLS.
type TLSConfig struct {
	Enabled    bool   `yaml:"enabled" doc:"connect by TLS"`
	CAFile     string `yaml:"ca_file" doc:"PEM file of the authorities that Redis' certificate may come from; empty: the system's"`
	CertFile   string `yaml:"cert_file" doc:"PEM file of this node's certificate; empty: none"`
	KeyFile    string `yaml:"key_file" doc:"PEM file of its key"`
	ServerName string `yaml:"server_name" doc:"name that Redis' certificate must have; empty: the host of addrs"`
}

// DefaultConfig gives the defaults: no Redis.
func DefaultConfig() Config {
	return Config{
		Prefix: "im:", Timeout: 500 * time.Millisecond, Connections: 32, Failures: 3, Ping: time.Second, Lease: 10 * time.Second,
		Journal: "im-server.journal", JournalBytes: 256 << 20,
	}
}

// Validate names every fault by its key, which begins with prefix, joined.
func (c Config) Validate(prefix string) error {
	var errs []error
	check := func(ok bool, key, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s%s: %s", prefix, key, fmt.Sprintf(format, args...)))
		}
	}
	for i, a := range c.Addrs {
		_, _, err := net.SplitHostPort(a)
		check(err == nil, fmt.Sprintf("addrs[%d]", i), "%q must be HOST:PORT", a)
	}
	check(c.Master == "" || len(c.Addrs) > 0, "master", "%q needs the sentinels' addrs", c.Master)
	check(c.DB >= 0, "db", "%d must not be negative", c.DB)
	check(c.DB == 0 || len(c.Addrs) <= 1 || c.Master != "", "db", "%d: a Redis Cluster has number 0 only", c.DB)
	check(c.Prefix != "" && len(c.Prefix) <= 64, "prefix", "%q must have 1 to 64 bytes", c.Prefix)
	check(c.Timeout >= time.Millisecond, "timeout", "%v must be at least 1ms", c.Timeout)
	check(c.Connections >= 1, "connections", "%d must be at least 1", c.Connections)
	check(c.Failures >= 1, "failures", "%d must be at least 1", c.Failures)
	check(c.Ping >= 10*time.Millisecond, "ping", "%v must be at least 10ms", c.Ping)
	check(c.Lease >= time.Second, "lease", "%v must be at least 1s", c.Lease)
	check(c.JournalBytes >= 1<<20, "journal_bytes", "%d must be at least 1048576", c.JournalBytes)
	check(c.TLS.Enabled || c.TLS == TLSConfig{}, "tls.enabled", "false, but other keys of tls are set")
	check((c.TLS.CertFile == "") == (c.TLS.KeyFile == ""), "tls", "cert_file and key_file go together")
	return errors.Join(errs...)
}

// quietOnce is for the library's one logger, which all of a process shares: it writes lines of its own to standard error
// that say less than Receiver.Changed does.
var quietOnce sync.Once

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// client makes the client; it connects when it is first used.
func (c Config) client() (goredis.UniversalClient, error) {
	quietOnce.Do(func() { goredis.SetLogger(quiet{}) })
	conf, err := c.TLS.config()
	if err != nil {
		return nil, err
	}
	return goredis.NewUniversalClient(&goredis.UniversalOptions{
		Addrs: c.Addrs, MasterName: c.Master, DB: c.DB, TLSConfig: conf,
		Username: c.Username, Password: c.Password,
		SentinelUsername: c.SentinelUsername, SentinelPassword: c.SentinelPassword,
		DialTimeout: c.Timeout, ReadTimeout: c.Timeout, WriteTimeout: c.Timeout, PoolTimeout: c.Timeout,
		PoolSize: c.Connections + spare, Protocol: 2, DisableIdentity: true,
		// Whether to try again is decided here, where order and deduplication are known.
		MaxRetries: -1, DialerRetries: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}), nil
}

// spare connections are for what does not queue with the calls: messages that are published, and looking for Redis.
const spare = 4

func (t TLSConfig) config() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the authorities of Redis: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the authorities of Redis: %s has no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("reading this node's certificate for Redis: %w", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

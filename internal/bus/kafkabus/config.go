package kafkabus

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Config says how to reach the brokers and how to talk to them. Begin with DefaultConfig.
type Config struct {
	Brokers           []string          `yaml:"brokers" doc:"addresses of some brokers, host:port; the rest of the cluster is learnt from them"`
	ClientID          string            `yaml:"client_id" doc:"the name under which the brokers' logs and quotas know this program"`
	Compression       string            `yaml:"compression" doc:"of what is produced: none, lz4, zstd or snappy"`
	MaxMessageBytes   int               `yaml:"max_message_bytes" doc:"largest key and value together, and largest batch before compression; keep it a little below the brokers' message.max.bytes"`
	FetchBytes        int               `yaml:"fetch_bytes" doc:"compressed bytes a consumer holds at once over all its partitions"`
	RequestTimeout    time.Duration     `yaml:"request_timeout" doc:"how long one request may take before it is tried again"`
	SessionTimeout    time.Duration     `yaml:"session_timeout" doc:"after how long without a heartbeat a consumer's partitions go to others; the brokers allow 6s to 30m by default"`
	ReplicationFactor int               `yaml:"replication_factor" doc:"copies of each topic that setup makes; 0: the brokers' default"`
	TopicConfig       map[string]string `yaml:"topic_config" doc:"further Kafka settings of each topic that setup makes, such as min.insync.replicas"`
	TLS               TLSConfig         `yaml:"tls" doc:"encryption of the connections to the brokers"`
	SASL              SASLConfig        `yaml:"sasl" doc:"authentication at the brokers"`
}

// TLSConfig says whether and how the connections are encrypted.
type TLSConfig struct {
	Enabled    bool   `yaml:"enabled" doc:"encrypt the connections and check the brokers' certificates"`
	CAFile     string `yaml:"ca_file" doc:"PEM file of the authorities to trust; empty: those of the system"`
	CertFile   string `yaml:"cert_file" doc:"PEM file of this client's certificate; empty: none is shown"`
	KeyFile    string `yaml:"key_file" doc:"PEM file of the certificate's key"`
	ServerName string `yaml:"server_name" doc:"name expected in the brokers' certificates; empty: the host that was dialled"`
}

// SASLConfig says who we are to the brokers.
type SASLConfig struct {
	Mechanism string `yaml:"mechanism" doc:"none, plain, scram-sha-256 or scram-sha-512"`
	User      string `yaml:"user" doc:"user name"`
	Password  string `yaml:"password" doc:"password" secret:"true"`
}

// DefaultConfig returns the settings for one unencrypted broker on this machine.
func DefaultConfig() Config {
	return Config{
		Brokers:         []string{"127.0.0.1:9092"},
		ClientID:        "imwatch",
		Compression:     "lz4",
		MaxMessageBytes: 1_000_000,
		FetchBytes:      8 << 20,
		RequestTimeout:  10 * time.Second,
		SessionTimeout:  10 * time.Second,
		SASL:            SASLConfig{Mechanism: "none"},
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
	fault(len(c.Brokers) == 0, "brokers", "at least one host:port is needed")
	for i, a := range c.Brokers {
		_, _, err := net.SplitHostPort(a)
		fault(err != nil, fmt.Sprintf("brokers[%d]", i), "%q is not host:port", a)
	}
	_, known := codecs()[c.Compression]
	fault(!known, "compression", "%q is not one of none, lz4, zstd, snappy", c.Compression)
	fault(c.MaxMessageBytes < 1024 || c.MaxMessageBytes > 64<<20, "max_message_bytes", "%d is not within 1024 to %d", c.MaxMessageBytes, 64<<20)
	fault(c.FetchBytes < 64<<10 || c.FetchBytes > 1<<30, "fetch_bytes", "%d is not within %d to %d", c.FetchBytes, 64<<10, 1<<30)
	fault(c.RequestTimeout < time.Second || c.RequestTimeout > 5*time.Minute, "request_timeout", "%s is not within 1s to 5m", c.RequestTimeout)
	fault(c.SessionTimeout < 6*time.Second || c.SessionTimeout > 30*time.Minute, "session_timeout", "%s is not within 6s to 30m", c.SessionTimeout)
	fault(c.ReplicationFactor < 0 || c.ReplicationFactor > 1000, "replication_factor", "%d is not within 0 to 1000", c.ReplicationFactor)
	errs = append(errs, c.TLS.validate(), c.SASL.validate(c.TLS.Enabled))
	return errors.Join(errs...)
}

func (c TLSConfig) validate() error {
	var errs []error
	if !c.Enabled && (c.CAFile != "" || c.CertFile != "" || c.KeyFile != "" || c.ServerName != "") {
		errs = append(errs, errors.New("tls.enabled: is false, yet other settings of tls are given"))
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		errs = append(errs, errors.New("tls.cert_file, tls.key_file: one without the other"))
	}
	return errors.Join(errs...)
}

func (c SASLConfig) validate(encrypted bool) error {
	switch {
	case !slices.Contains([]string{"none", "plain", "scram-sha-256", "scram-sha-512"}, c.Mechanism):
		return fmt.Errorf("sasl.mechanism: %q is not one of none, plain, scram-sha-256, scram-sha-512", c.Mechanism)
	case c.Mechanism == "none" && (c.User != "" || c.Password != ""):
		return errors.New("sasl.mechanism: is none, yet a user or a password is given")
	case c.Mechanism != "none" && (c.User == "" || c.Password == ""):
		return errors.New("sasl.user, sasl.password: both are needed for " + c.Mechanism)
	case c.Mechanism == "plain" && !encrypted:
		return errors.New("sasl.mechanism: plain sends the password readable and needs tls.enabled")
	case strings.ContainsRune(c.User, 0):
		return errors.New("sasl.user: contains a NUL")
	}
	return nil
}

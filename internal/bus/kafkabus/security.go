package kafkabus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// codecs gives kafka-go's number for each compression that a configuration may name.
func codecs() map[string]kafka.Compression {
	return map[string]kafka.Compression{"none": 0, "lz4": kafka.Lz4, "zstd": kafka.Zstd, "snappy": kafka.Snappy}
}

// load reads the files that the settings name; nil if TLS is off.
func (c TLSConfig) load() (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil // nil is how kafka-go is told to use none
	}
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("tls.ca_file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca_file: no certificate in %s", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("tls.cert_file, tls.key_file: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// mechanism makes kafka-go's authenticator; nil if there is none.
func (c SASLConfig) mechanism() (sasl.Mechanism, error) {
	switch c.Mechanism {
	case "none":
		return nil, nil // nil is how kafka-go is told to use none
	case "plain":
		return plain.Mechanism{Username: c.User, Password: c.Password}, nil
	case "scram-sha-256":
		return c.scram(scram.SHA256)
	case "scram-sha-512":
		return c.scram(scram.SHA512)
	}
	return nil, errors.New("sasl.mechanism: unknown")
}

func (c SASLConfig) scram(a scram.Algorithm) (sasl.Mechanism, error) {
	m, err := scram.Mechanism(a, c.User, c.Password)
	if err != nil {
		return nil, fmt.Errorf("sasl.user, sasl.password: %w", err)
	}
	return m, nil
}

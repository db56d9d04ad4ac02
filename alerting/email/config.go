package email

import (
	"errors"
	"fmt"
	"net/mail"

	"imwatch/alerting/channel"
)

// How the connection is protected.
const (
	StartTLS = "starttls" // the server must offer it
	Implicit = "implicit" // TLS from the first byte
	None     = "none"     // in the clear; never with a password
)

// Config says which server takes the mail and who gets it. Begin with DefaultConfig.
type Config struct {
	Host      string   `yaml:"host" doc:"the mail server"`
	Port      int      `yaml:"port" doc:"its port; 0: 587 for starttls, 465 for implicit, 25 for none"`
	TLS       string   `yaml:"tls" doc:"starttls (required of the server), implicit, or none: in the clear, without authentication"`
	CAFile    string   `yaml:"ca_file" doc:"PEM file of further certificate authorities"`
	Username  string   `yaml:"username" doc:"account to authenticate with; none: no authentication"`
	Password  string   `yaml:"password" doc:"its password" secret:"true"`
	From      string   `yaml:"from" doc:"sender's address, also as Name <address>"`
	To        []string `yaml:"to" doc:"addresses that are told"`
	PerMinute int      `yaml:"per_minute" doc:"mails in any minute, at most; what is more is told in one"`
	Reserve   int      `yaml:"reserve" doc:"of these, so many are kept for critical alerts"`
	Hello     string   `yaml:"hello" doc:"name to greet the server with; none: the host's"`
}

// DefaultConfig gives the defaults; Host, From and To must be set.
func DefaultConfig() Config { return Config{TLS: StartTLS, PerMinute: 30, Reserve: 5} }

// SetDefaults makes c the default.
func (c *Config) SetDefaults() { *c = DefaultConfig() }

func (c *Config) port() int {
	switch {
	case c.Port != 0:
		return c.Port
	case c.TLS == Implicit:
		return 465
	case c.TLS == None:
		return 25
	}
	return 587
}

// Validate gives all faults, each with its key below path.
func (c *Config) Validate(path string) error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s.%s: %s", path, key, fmt.Sprintf(format, args...)))
	}
	if c.Host == "" {
		fault("host", "a mail server is needed")
	}
	if c.Port < 0 || c.Port > 65535 {
		fault("port", "found %d, expected 1 to 65535", c.Port)
	}
	switch c.TLS {
	case StartTLS, Implicit:
	case None:
		if c.Username != "" {
			fault("tls", "none would send the password in the clear; expected starttls or implicit with a username")
		}
	default:
		fault("tls", "found %q, expected starttls, implicit or none", c.TLS)
	}
	if (c.Username == "") != (c.Password == "") {
		fault("password", "username and password go together")
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		fault("from", "found %q, expected an address", c.From)
	}
	if len(c.To) == 0 {
		fault("to", "at least one address is needed")
	}
	for i, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			fault(fmt.Sprintf("to[%d]", i), "found %q, expected an address", to)
		}
	}
	return errors.Join(append(errs, channel.CheckPace(path, c.PerMinute, c.Reserve))...)
}

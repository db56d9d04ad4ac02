package imserver

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Validate names every fault of the configuration by its key, joined.
func (c Config) Validate() error {
	err := c.validate()
	if c.JWT.Empty() {
		err = errors.Join(err, errors.New("jwt: at least one key under keys, or one of issuers, is needed"))
	}
	return err
}

func (c Config) validate() error {
	var v faults
	v.addr("addr", c.Addr)
	if c.OpsAddr != "" {
		v.addr("ops_addr", c.OpsAddr)
	}
	v.check(c.OpsToken == "" || len(c.OpsToken) >= 16, "ops_token", "must have at least 16 bytes, not %d", len(c.OpsToken))
	v.check(c.HeapFloor >= 0, "heap_floor", "%d must not be negative", c.HeapFloor)
	v.check(c.OpsClosed >= 0 && c.OpsClosed <= 100_000, "ops_closed", "%d must be from 0 to 100000", c.OpsClosed)
	v.word("node", c.Node)
	v.word("environment", c.Environment)
	v.word("zone", c.Zone)
	for i, o := range c.Origins {
		u, err := url.Parse(o)
		v.check(o == "*" || err == nil && u.Scheme != "" && u.Host != "" && u.Path == "",
			fmt.Sprintf("origins[%d]", i), "%q must be * or like https://app.example.org", o)
	}
	v.networks("trusted_proxies", c.TrustedProxies)
	v.header("forwarded_header", c.ForwardedHeader)
	v.check(!c.ProxyProtocol || len(c.TrustedProxies) > 0, "proxy_protocol", "needs trusted_proxies: nobody else is believed")
	c.Addresses.validate(&v)
	c.TLS.validate(&v)
	for _, err := range c.JWT.Validate() {
		v = append(v, fmt.Errorf("jwt.%w", err))
	}
	c.SecondFactor.validate(&v)
	c.Limits.validate(&v)
	c.Heartbeat.validate(&v)
	v.positive("timeouts.handshake", c.Timeouts.Handshake)
	v.positive("timeouts.message", c.Timeouts.Message)
	v.positive("timeouts.write", c.Timeouts.Write)
	v.positive("timeouts.close", c.Timeouts.Close)
	v.check(c.Compression.MinBytes >= 1, "compression.min_bytes", "%d must be at least 1", c.Compression.MinBytes)
	v.check(c.Drain.Delay >= 0, "drain.delay", "%v must not be negative", c.Drain.Delay)
	v.positive("timeouts.publish", c.Timeouts.Publish)
	v.positive("timeouts.ask", c.Timeouts.Ask)
	c.Sessions.validate(&v)
	v.positive("drain.timeout", c.Drain.Timeout)
	v.check(c.Drain.Rate >= 1, "drain.rate", "%d must be at least 1", c.Drain.Rate)
	v.check(c.Drain.RetryMin >= 0 && c.Drain.RetryMax >= c.Drain.RetryMin, "drain.retry_max", "%v must be at least drain.retry_min, %v", c.Drain.RetryMax, c.Drain.RetryMin)
	return errors.Join(append(v, c.Log.Validate("log."), c.Redis.Validate("redis."))...)
}

func (c LimitsConfig) validate(v *faults) {
	v.check(c.Idle >= 0, "limits.idle", "%v must not be negative", c.Idle)
	v.check(c.MaxLifetime >= 0, "limits.max_lifetime", "%v must not be negative", c.MaxLifetime)
	v.check(c.UserConnections >= 0, "limits.user_connections", "%d must not be negative", c.UserConnections)
	v.check(c.QueuesBytes >= 0, "limits.queues_bytes", "%d must not be negative", c.QueuesBytes)
	v.check(c.MessageRate >= 0, "limits.message_rate", "%v must not be negative", c.MessageRate)
	v.check(c.ControlRate >= 0, "limits.control_rate", "%v must not be negative", c.ControlRate)
	v.check(c.ConnectRate >= 0, "limits.connect_rate", "%v must not be negative", c.ConnectRate)
	v.check(c.UserConnectRate >= 0, "limits.user_connect_rate", "%v must not be negative", c.UserConnectRate)
	v.check(c.Handshakes >= 0, "limits.handshakes", "%d must not be negative", c.Handshakes)
	v.check(c.AddressHandshakes >= 0, "limits.address_handshakes", "%d must not be negative", c.AddressHandshakes)
	for _, n := range []struct {
		key   string
		value int
	}{
		{"connections", c.Connections},
		{"connect_burst", c.ConnectBurst},
		{"user_connect_burst", c.UserConnectBurst},
		{"message_bytes", c.MessageBytes},
		{"message_frames", c.MessageFrames},
		{"control_burst", c.ControlBurst},
		{"queue_bytes", c.QueueBytes},
		{"queue_messages", c.QueueMessages},
		{"rooms", c.Rooms},
		{"message_burst", c.MessageBurst},
		{"errors", c.Errors},
	} {
		v.check(n.value >= 1, "limits."+n.key, "%d must be at least 1", n.value)
	}
}

type faults []error

func (v *faults) check(ok bool, key, format string, args ...any) {
	if !ok {
		*v = append(*v, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
}

func (v *faults) positive(key string, d time.Duration) {
	v.check(d > 0, key, "%v must be more than 0", d)
}

func (v *faults) addr(key, s string) {
	_, _, err := net.SplitHostPort(s)
	v.check(err == nil, key, "%q must be HOST:PORT", s)
}

// header checks the name of a header.
func (v *faults) header(key, s string) {
	bad := strings.ContainsFunc(s, func(r rune) bool { return r != '-' && r != '_' && (r < '0' || r > '9') && (r|' ' < 'a' || r|' ' > 'z') })
	v.check(!bad, key, "%q is no name of a header", s)
}

// word checks a name that stands in event ids and metrics.
func (v *faults) word(key, s string) {
	bad := strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '"' || r == '\\' })
	v.check(len(s) <= 64 && !bad, key, "%q must be at most 64 bytes without spaces, quotes and control characters", s)
}

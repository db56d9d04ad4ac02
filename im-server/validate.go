package imserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
)

// Validate names every fault of the configuration by its key, joined.
func (c Config) Validate() error {
	err := c.validate()
	if len(c.JWT.Keys) == 0 {
		err = errors.Join(err, errors.New("jwt.keys: at least one key is needed"))
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
	v.check(c.OpsClosed >= 0 && c.OpsClosed <= 100_000, "ops_closed", "%d must be from 0 to 100000", c.OpsClosed)
	v.word("node", c.Node)
	v.word("environment", c.Environment)
	v.word("zone", c.Zone)
	for i, o := range c.Origins {
		u, err := url.Parse(o)
		v.check(o == "*" || err == nil && u.Scheme != "" && u.Host != "" && u.Path == "",
			fmt.Sprintf("origins[%d]", i), "%q must be * or like https://app.example.org", o)
	}
	for i, p := range c.TrustedProxies {
		_, errAddr := netip.ParseAddr(p)
		_, errNet := netip.ParsePrefix(p)
		v.check(errAddr == nil || errNet == nil, fmt.Sprintf("trusted_proxies[%d]", i), "%q must be an address or a network like 10.0.0.0/8", p)
	}
	v.check((c.TLS.CertFile == "") == (c.TLS.KeyFile == ""), "tls", "cert_file and key_file go together")
	c.JWT.validate(&v)
	c.Limits.validate(&v)
	c.Heartbeat.validate(&v)
	v.positive("timeouts.handshake", c.Timeouts.Handshake)
	v.positive("timeouts.message", c.Timeouts.Message)
	v.positive("timeouts.write", c.Timeouts.Write)
	v.positive("timeouts.close", c.Timeouts.Close)
	v.check(c.Drain.Delay >= 0, "drain.delay", "%v must not be negative", c.Drain.Delay)
	v.positive("timeouts.publish", c.Timeouts.Publish)
	v.positive("timeouts.ask", c.Timeouts.Ask)
	c.Sessions.validate(&v)
	v.positive("drain.timeout", c.Drain.Timeout)
	v.check(c.Drain.Rate >= 1, "drain.rate", "%d must be at least 1", c.Drain.Rate)
	v.check(c.Drain.RetryMin >= 0 && c.Drain.RetryMax >= c.Drain.RetryMin, "drain.retry_max", "%v must be at least drain.retry_min, %v", c.Drain.RetryMax, c.Drain.RetryMin)
	return errors.Join(append(v, c.Log.Validate("log."), c.Redis.Validate("redis."))...)
}

func (c JWTConfig) validate(v *faults) {
	seen := map[string]bool{}
	for i, k := range c.Keys {
		at := fmt.Sprintf("jwt.keys[%d]", i)
		v.check(!seen[k.ID], at+".id", "%q stands twice", k.ID)
		seen[k.ID] = true
		v.check(k.ID != "" || len(c.Keys) == 1, at+".id", "needed where there are several keys")
		switch k.Algorithm {
		case "HS256":
			v.check(len(k.Secret) >= 32, at+".secret", "HS256 needs at least 32 bytes, not %d", len(k.Secret))
			v.check(k.File == "", at+".file", "HS256 has a secret, not a file")
		case "RS256", "EdDSA":
			v.check(k.File != "", at+".file", "%s needs the PEM file of its public key", k.Algorithm)
			v.check(k.Secret == "", at+".secret", "%s has a file, not a secret", k.Algorithm)
		default:
			v.check(false, at+".algorithm", "%q must be HS256, RS256 or EdDSA", k.Algorithm)
		}
	}
	v.check(c.Leeway >= 0 && c.Leeway <= 10*time.Minute, "jwt.leeway", "%v must be from 0 to 10m", c.Leeway)
}

func (c LimitsConfig) validate(v *faults) {
	v.check(c.Idle >= 0, "limits.idle", "%v must not be negative", c.Idle)
	v.check(c.MaxLifetime >= 0, "limits.max_lifetime", "%v must not be negative", c.MaxLifetime)
	v.check(c.UserConnections >= 0, "limits.user_connections", "%d must not be negative", c.UserConnections)
	v.check(c.MessageRate >= 0, "limits.message_rate", "%v must not be negative", c.MessageRate)
	v.check(c.ControlRate >= 0, "limits.control_rate", "%v must not be negative", c.ControlRate)
	v.check(c.ConnectRate >= 0, "limits.connect_rate", "%v must not be negative", c.ConnectRate)
	for _, n := range []struct {
		key   string
		value int
	}{
		{"connections", c.Connections},
		{"connect_burst", c.ConnectBurst},
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

// word checks a name that stands in event ids and metrics.
func (v *faults) word(key, s string) {
	bad := strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == '"' || r == '\\' })
	v.check(len(s) <= 64 && !bad, key, "%q must be at most 64 bytes without spaces, quotes and control characters", s)
}

package imserver

import (
	"time"

	"imwatch/im-server/cluster/redis"
	"imwatch/im-server/eventlog"
	"imwatch/im-server/token"
)

// Config says how a server listens, whom it lets in and where it writes. DefaultConfig gives the defaults.
type Config struct {
	Addr            string            `yaml:"addr" doc:"address that clients connect to"`
	OpsAddr         string            `yaml:"ops_addr" doc:"address of /healthz, /readyz, /metrics, /debug/pprof and /-/; empty: none"`
	OpsToken        string            `yaml:"ops_token" secret:"true" hot:"true" doc:"bearer token of /-/ on ops_addr, at least 16 bytes; empty: /-/ is switched off"`
	OpsClosed       int               `yaml:"ops_closed" doc:"ended connections that /-/conns?state=closed remembers"`
	Node            string            `yaml:"node" doc:"name of this node in events, unique in the fleet; empty: the host's name"`
	HeapFloor       int               `yaml:"heap_floor" doc:"bytes of heap up to which garbage is not collected, so that a small heap is not collected all the time; 0: Go's own rule, as where GOGC or GOMEMLIMIT is set; of a process that is the role im-server alone"`
	Environment     string            `yaml:"environment" doc:"service.environment of events"`
	Zone            string            `yaml:"zone" doc:"cloud.availability_zone of events; empty: not said"`
	Origins         []string          `yaml:"origins" hot:"true" doc:"Origin headers let in, as https://app.example.org or https://*.example.org; * is any, empty: the same host only; requests without an Origin are let in"`
	TrustedProxies  []string          `yaml:"trusted_proxies" doc:"addresses or networks of proxies, whose forwarded_header is believed"`
	ForwardedHeader string            `yaml:"forwarded_header" doc:"header in which those proxies say where a client is: X-Forwarded-For, Forwarded (RFC 7239), or another that holds addresses; empty: none"`
	ProxyProtocol   bool              `yaml:"proxy_protocol" doc:"connections of trusted_proxies begin with a PROXY protocol header, version 1 or 2"`
	Addresses       AddressesConfig   `yaml:"addresses"`
	TLS             TLSConfig         `yaml:"tls"`
	JWT             token.Config      `yaml:"jwt"`
	SecondFactor    FactorConfig      `yaml:"second_factor"`
	Limits          LimitsConfig      `yaml:"limits" hot:"true"`
	Heartbeat       HeartbeatConfig   `yaml:"heartbeat"`
	Timeouts        TimeoutsConfig    `yaml:"timeouts"`
	Compression     CompressionConfig `yaml:"compression" hot:"true"`
	Drain           DrainConfig       `yaml:"drain" hot:"true"`
	Sessions        SessionsConfig    `yaml:"sessions"`
	Redis           redis.Config      `yaml:"redis"`
	Log             eventlog.Config   `yaml:"log" hot:"true"`
}

// LimitsConfig bounds what clients may use.
type LimitsConfig struct {
	Connections       int           `yaml:"connections" doc:"connections of this node"`
	ConnectRate       float64       `yaml:"connect_rate" doc:"connects a second of one address (IPv6: one /64); 0: no limit"`
	ConnectBurst      int           `yaml:"connect_burst" doc:"connects of one address at once"`
	UserConnectRate   float64       `yaml:"user_connect_rate" doc:"connects a second of one user on this node; 0: no limit"`
	UserConnectBurst  int           `yaml:"user_connect_burst" doc:"connects of one user at once"`
	Handshakes        int           `yaml:"handshakes" doc:"connections that speak HTTP or nothing yet; further ones are closed at once. 0: no limit"`
	AddressHandshakes int           `yaml:"address_handshakes" doc:"those of one address, trusted_proxies apart; 0: no limit"`
	MessageBytes      int           `yaml:"message_bytes" doc:"size of one message from a client, in bytes"`
	MessageFrames     int           `yaml:"message_frames" doc:"frames of one message from a client"`
	ControlRate       float64       `yaml:"control_rate" doc:"pings, pongs and fragments with nothing in them a second of one connection; 0: no limit"`
	ControlBurst      int           `yaml:"control_burst" doc:"and at once; over it the connection is closed"`
	QueueBytes        int           `yaml:"queue_bytes" doc:"bytes waiting for one slow client before it is closed"`
	QueueMessages     int           `yaml:"queue_messages" doc:"messages waiting for one slow client before it is closed"`
	QueuesBytes       int64         `yaml:"queues_bytes" doc:"bytes waiting for all clients together, over which those with the most are closed; 0: no limit"`
	Rooms             int           `yaml:"rooms" doc:"rooms of one connection"`
	Idle              time.Duration `yaml:"idle" doc:"time without a message from a client (answers to pings are none) after which it is closed; 0: no limit"`
	MaxLifetime       time.Duration `yaml:"max_lifetime" doc:"age at which a connection is sent away to come back, less up to a tenth; 0: no limit"`
	UserConnections   int           `yaml:"user_connections" doc:"connections of one user; 0: no limit"`
	MessageRate       float64       `yaml:"message_rate" doc:"messages a second of one connection; 0: no limit"`
	MessageBurst      int           `yaml:"message_burst" doc:"messages of one connection at once"`
	Errors            int           `yaml:"errors" doc:"messages of one connection that are refused before it is closed"`
}

// TimeoutsConfig bounds how long peers may take.
type TimeoutsConfig struct {
	Handshake time.Duration `yaml:"handshake" doc:"time to send the request's headers, and to check the token"`
	Message   time.Duration `yaml:"message" hot:"true" doc:"time for a client's message to come whole once it has begun"`
	Write     time.Duration `yaml:"write" hot:"true" doc:"time that one message may take into a client's socket"`
	Publish   time.Duration `yaml:"publish" hot:"true" doc:"time for what the nodes share to take a message"`
	Ask       time.Duration `yaml:"ask" hot:"true" doc:"time for another node to answer"`
	Close     time.Duration `yaml:"close" hot:"true" doc:"time to wait for the peer's close frame after ours"`
}

// DrainConfig says how a server goes down.
type DrainConfig struct {
	Delay    time.Duration `yaml:"delay" doc:"time between not being ready and the first connection that is closed: as long as those who send clients here take to notice"`
	Timeout  time.Duration `yaml:"timeout" doc:"time after that until connections that are still there are cut"`
	Rate     int           `yaml:"rate" doc:"connections closed a second, more if half the time-out would not do"`
	RetryMin time.Duration `yaml:"retry_min" doc:"clients are told to come back after a random time from here"`
	RetryMax time.Duration `yaml:"retry_max" doc:"to here"`
}

// DefaultConfig gives the defaults. A key for tokens has none: Validate asks for it.
func DefaultConfig() Config {
	return Config{
		Addr:            ":8080",
		OpsAddr:         "127.0.0.1:8081",
		OpsClosed:       1000,
		HeapFloor:       64 << 20,
		Environment:     "production",
		ForwardedHeader: "X-Forwarded-For",
		JWT:             token.DefaultConfig(),
		SecondFactor:    FactorConfig{Timeout: 3 * time.Second},
		Limits: LimitsConfig{
			Connections: 50_000, ConnectRate: 10, ConnectBurst: 50, UserConnectRate: 5, UserConnectBurst: 50, Handshakes: 10_000, AddressHandshakes: 5_000, MessageBytes: 64 << 10, MessageFrames: 1024, ControlRate: 100, ControlBurst: 200, QueueBytes: 1 << 20,
			QueueMessages: 4096, QueuesBytes: 512 << 20, Rooms: 100, MessageRate: 1000, MessageBurst: 2000, Errors: 100,
		},
		Heartbeat:   defaultHeartbeat(),
		Timeouts:    TimeoutsConfig{Handshake: 5 * time.Second, Message: 30 * time.Second, Write: 10 * time.Second, Publish: 3 * time.Second, Ask: 2 * time.Second, Close: 2 * time.Second},
		Compression: CompressionConfig{MinBytes: 1024},
		Drain:       DrainConfig{Timeout: 30 * time.Second, Rate: 500, RetryMin: 500 * time.Millisecond, RetryMax: 3 * time.Second},
		Sessions:    defaultSessions(),
		Redis:       redis.DefaultConfig(),
		Log:         eventlog.DefaultConfig(),
	}
}

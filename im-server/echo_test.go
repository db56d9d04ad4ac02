package imserver

import (
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// echoes runs a server that sends every message back as it came, whatever it says: its reading and writing and nothing
// else. A client has to connect with echoQuery.
func echoes(tb testing.TB, cfg Config) *fixture {
	tb.Helper()
	cfg.Sessions.Hello = time.Hour
	return serveWith(tb, cfg, Deps{}, func(s *Server) {
		s.take = func(c *conn, text bool, data []byte) {
			op := websocket.BinaryMessage
			if text {
				op = websocket.TextMessage
			}
			c.send(c.codec.packs.frame(frame{op: op, data: slices.Clone(data)}))
		}
	})
}

// echoQuery has the server wait for a first envelope, and say nothing of its own before.
const echoQuery = "?wait=1"

// echoConfig lets clients do what only a test suite does.
func echoConfig(tb testing.TB) Config {
	tb.Helper()
	cfg := testConfig(tb)
	cfg.Limits.MessageBytes, cfg.Limits.QueueBytes, cfg.Limits.MessageFrames, cfg.Limits.ControlRate = 32<<20, 256<<20, 1<<20, 0
	cfg.Compression = CompressionConfig{Enabled: true, MinBytes: 1}
	return cfg
}

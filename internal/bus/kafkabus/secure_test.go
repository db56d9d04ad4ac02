package kafkabus_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"imwatch/internal/bus"
	"imwatch/internal/bus/kafkabus"
)

// TestSecureKafka talks to a real broker over TLS with each mechanism, as a producer and in a group, and is refused with
// a wrong password. IMWATCH_TEST_KAFKA_SECURE and IMWATCH_TEST_KAFKA_CA name the listener that
// test/infra/kafka/kafka.sh makes with KAFKA_SECURE_PORT, and its authority.
func TestSecureKafka(t *testing.T) {
	address, ca := os.Getenv("IMWATCH_TEST_KAFKA_SECURE"), os.Getenv("IMWATCH_TEST_KAFKA_CA")
	if address == "" || ca == "" {
		t.Skip("IMWATCH_TEST_KAFKA_SECURE=HOST:PORT and IMWATCH_TEST_KAFKA_CA=FILE name no broker with TLS and SASL")
	}
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		open := func(t *testing.T, password string) *kafkabus.Bus {
			t.Helper()
			cfg := kafkabus.DefaultConfig()
			cfg.Brokers = []string{address}
			cfg.TLS = kafkabus.TLSConfig{Enabled: true, CAFile: ca}
			cfg.SASL = kafkabus.SASLConfig{Mechanism: mechanism, User: "im", Password: password}
			b, err := kafkabus.New(cfg, logTo(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = b.Close() })
			return b
		}
		t.Run(mechanism, func(t *testing.T) {
			ctx, end := context.WithTimeout(t.Context(), 2*time.Minute)
			defer end()
			b := open(t, "im-secret")
			topic := fmt.Sprintf("secure-%d", time.Now().UnixNano())
			if err := b.EnsureTopics(ctx, bus.TopicSpec{Name: topic, Partitions: 2}); err != nil {
				t.Fatal(err)
			}
			if err := b.Broadcast(ctx, topic, bus.Message{Value: []byte("v")}); err != nil {
				t.Fatal(err)
			}
			c, err := b.Consume(ctx, topic, topic)
			if err != nil {
				t.Fatal(err)
			}
			for n := 0; n < 2; {
				ms, err := c.Fetch(ctx, 10)
				if err != nil {
					t.Fatal(err)
				}
				n += len(ms)
				if err := c.Commit(ctx, ms...); err != nil {
					t.Fatal(err)
				}
			}
		})
		t.Run(mechanism+" and a wrong password", func(t *testing.T) {
			ctx, end := context.WithTimeout(t.Context(), time.Minute)
			defer end()
			if err := open(t, "guess").Ping(ctx); err == nil || ctx.Err() != nil || !strings.Contains(strings.ToLower(err.Error()), "auth") {
				t.Errorf("Ping: %v", err)
			}
		})
	}
}

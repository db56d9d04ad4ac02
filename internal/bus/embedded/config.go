package embedded

import (
	"errors"
	"fmt"

	"imwatch/internal/bus/kafkabus"
)

// Config says where the broker keeps its data and how much of it. Begin with DefaultConfig.
type Config struct {
	Dir         string `yaml:"dir" doc:"directory of the broker's data; it belongs to one process at a time"`
	Port        int    `yaml:"port" doc:"port on 127.0.0.1; 0: any free one"`
	Sync        bool   `yaml:"sync" doc:"flush every batch to the disk before it is acknowledged, so that a power failure loses nothing either"`
	TopicBytes  int64  `yaml:"topic_bytes" doc:"bytes kept of each topic, shared by its partitions; what a group has not consumed stays, and producers wait instead"`
	Compression string `yaml:"compression" doc:"of what is produced: none, lz4, zstd or snappy"`
}

// DefaultConfig returns the settings for a small site: 128 MiB a topic, flushed.
func DefaultConfig() Config {
	return Config{Dir: "data/broker", Sync: true, TopicBytes: 128 << 20, Compression: "lz4"}
}

// Validate returns all faults joined, each naming its key.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("dir: a directory is needed"))
	}
	if c.Port < 0 || c.Port > 65535 {
		errs = append(errs, fmt.Errorf("port: %d is not within 0 to 65535", c.Port))
	}
	if c.TopicBytes < 1<<20 || c.TopicBytes > 4<<30 {
		errs = append(errs, fmt.Errorf("topic_bytes: %d is not within %d to %d", c.TopicBytes, 1<<20, int64(4)<<30))
	}
	return errors.Join(append(errs, c.client("127.0.0.1:1").Validate())...)
}

// client is how the broker is reached.
func (c Config) client(address string) kafkabus.Config {
	k := kafkabus.DefaultConfig()
	k.Brokers = []string{address}
	k.Compression = c.Compression
	return k
}

package app

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"imwatch/alerting"
	"imwatch/detector"
	imserver "imwatch/im-server"
	"imwatch/internal/bus"
	"imwatch/internal/bus/embedded"
	"imwatch/internal/bus/kafkabus"
	"imwatch/internal/config"
	"imwatch/internal/scale"
	"imwatch/internal/store/elastic"
	"imwatch/internal/store/sqlite"
	"imwatch/kibana"
	"imwatch/shipper"
	"imwatch/shipper/index"
	"imwatch/shipper/index/clickhouse"
	"imwatch/shipper/index/parquet"
)

// EnvPrefix begins the names of environment variables that override keys.
const EnvPrefix = "IMWATCH_"

// Config is the configuration of the whole: the tree of each part's own.
type Config struct {
	Log           LogConfig         `yaml:"log" doc:"Diagnostics of the program itself, on standard error."`
	Ops           OpsConfig         `yaml:"ops" doc:"The listener for operations of every role but im-server, which has its own."`
	Scale         scale.Config      `yaml:"scale" doc:"How many instances of a role are advised: [capacity](capacity.md#advice-from-the-lag)."`
	Topics        TopicsConfig      `yaml:"topics" doc:"How topics are made by setup and up."`
	Kafka         kafkabus.Config   `yaml:"kafka" doc:"Kafka, for every role but up and demo."`
	Elasticsearch elastic.Config    `yaml:"elasticsearch" doc:"Elasticsearch, for every role but up and demo."`
	Kibana        kibana.Config     `yaml:"kibana" doc:"Kibana, for setup."`
	Embedded      EmbeddedConfig    `yaml:"embedded" doc:"The broker and the store inside the process, for up and demo."`
	IMServer      imserver.Config   `yaml:"im_server" doc:"The IM server."`
	Shipper       shipper.Config    `yaml:"shipper" doc:"From files to Kafka."`
	Indexer       index.Config      `yaml:"indexer" doc:"From Kafka to Elasticsearch and the other sinks."`
	Parquet       parquet.Config    `yaml:"parquet" doc:"Parquet files, where indexer.sinks names parquet."`
	ClickHouse    clickhouse.Config `yaml:"clickhouse" doc:"ClickHouse, where indexer.sinks names clickhouse."`
	Detector      detector.Config   `yaml:"detector" doc:"Rules and their evaluators."`
	Alerting      alerting.Config   `yaml:"alerting" doc:"Who is told what, and how."`

	source *source       // where it came from; nil: not to be read again
	places config.Places // where its keys stand
}

// source is what a configuration was made of, so that it can be made again.
type source struct {
	file string
	load func() (Config, error)
}

// EmbeddedConfig is for the parts inside the process. Their folders stand below --data where they are not given.
type EmbeddedConfig struct {
	Broker embedded.Config `yaml:"broker"`
	Store  sqlite.Config   `yaml:"store"`
}

// TopicsConfig says how topics are made; those that exist are left as they are.
type TopicsConfig struct {
	Partitions int           `yaml:"partitions" doc:"partitions of im.lifecycle; as many indexers can share the work"`
	Retention  time.Duration `yaml:"retention" doc:"how long im.lifecycle keeps events: as long as a stage may be away"`
}

func (c TopicsConfig) validate() error {
	var errs []error
	if c.Partitions < 1 || c.Partitions > 1024 {
		errs = append(errs, fmt.Errorf("partitions: found %d, expected 1 to 1024", c.Partitions))
	}
	if c.Retention < time.Minute {
		errs = append(errs, fmt.Errorf("retention: found %v, expected at least 1m", c.Retention))
	}
	return errors.Join(errs...)
}

// topics gives the topics of the pipeline and of the stages' own.
func (c *Config) topics() []bus.TopicSpec {
	t := c.Topics
	specs := []bus.TopicSpec{
		{Name: bus.TopicLifecycle, Partitions: t.Partitions, Retention: t.Retention},
		{Name: bus.TopicAlerts, Partitions: t.Partitions, Retention: max(t.Retention, 7*24*time.Hour)},
		{Name: bus.TopicDeadLetter, Partitions: 1, Retention: max(t.Retention, 7*24*time.Hour)},
		{Name: bus.TopicCanary, Partitions: 1, Retention: 24 * time.Hour},
	}
	return append(specs, detector.Topics(c.Detector, t.Retention)...)
}

// DefaultConfig gives the defaults of every key.
func DefaultConfig() Config {
	c := Config{
		Log:           LogConfig{Level: "info", Format: "text"},
		Ops:           OpsConfig{Addr: "127.0.0.1:9100"},
		Scale:         scale.DefaultConfig(),
		Topics:        TopicsConfig{Partitions: 4, Retention: 24 * time.Hour},
		Kafka:         kafkabus.DefaultConfig(),
		Elasticsearch: elastic.DefaultConfig(),
		Kibana:        kibana.DefaultConfig(),
		Embedded:      EmbeddedConfig{embedded.DefaultConfig(), sqlite.DefaultConfig()},
		IMServer:      imserver.DefaultConfig(),
		Shipper:       shipper.DefaultConfig(),
		Indexer:       index.DefaultConfig(),
		Parquet:       parquet.DefaultConfig(),
		ClickHouse:    clickhouse.DefaultConfig(),
		Detector:      detector.DefaultConfig(),
		Alerting:      alerting.DefaultConfig(),
	}
	c.Shipper.Sources = []shipper.Source{{Paths: []string{c.IMServer.Log.Path}, Format: shipper.FormatContract}}
	return c
}

// parts lists the parts with a check, by their key.
func (c *Config) parts() []part {
	return []part{
		{"log", c.Log.Validate},
		{"scale", c.Scale.Validate},
		{"ops", c.Ops.validate},
		{"topics", c.Topics.validate},
		{"kafka", c.Kafka.Validate},
		{"elasticsearch", c.Elasticsearch.Validate},
		{"kibana", c.Kibana.Validate},
		{"embedded.broker", c.Embedded.Broker.Validate},
		{"embedded.store", c.Embedded.Store.Validate},
		{"im_server", c.IMServer.Validate},
		{"shipper", c.Shipper.Validate},
		{"indexer", c.Indexer.Validate},
		{"parquet", c.Parquet.Validate},
		{"clickhouse", c.ClickHouse.Validate},
		{"detector", c.Detector.Validate},
		{"alerting", c.Alerting.Validate},
	}
}

type part struct {
	key      string
	validate func() error
}

// LoadConfig reads the file ("": none) and the environment over the defaults, with all secrets, and checks the parts
// whose keys are named ("": all). Every fault is a UsageError, and all of them are said at once.
func LoadConfig(file string, env []string, keys ...string) (Config, error) {
	cfg, err := readConfig(file, env, keys)
	if err != nil {
		return cfg, err
	}
	cfg.source = &source{file, func() (Config, error) { return LoadConfig(file, env, keys...) }}
	return cfg, cfg.check(keys)
}

// ReadConfig is LoadConfig without checks, for printing.
func ReadConfig(file string, env []string) (Config, error) { return readConfig(file, env, nil) }

func readConfig(file string, env []string, keys []string) (Config, error) {
	cfg := DefaultConfig()
	src := config.Source{Name: file, Env: env, Prefix: EnvPrefix, Secrets: keys}
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return cfg, Usagef("reading the configuration: %w", err)
		}
		src.YAML = b
	}
	if err := config.Load(&cfg, src); err != nil {
		return cfg, &UsageError{err}
	}
	cfg.places = config.PlacesOf(src)
	return cfg, nil
}

// check validates the parts whose keys are named; none: all.
func (c *Config) check(keys []string) error {
	var errs []error
	for _, p := range c.parts() {
		top, _, _ := strings.Cut(p.key, ".")
		if len(keys) > 0 && !slices.Contains(keys, top) {
			continue
		}
		if err := p.validate(); err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				errs = append(errs, errors.New(c.places.Locate(p.key+"."+line)))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return &UsageError{err}
	}
	return nil
}

package parquet

import (
	"errors"
	"fmt"
	"time"

	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/compress/uncompressed"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"imwatch/shipper/index/chunk"
)

// Config says where files go and how large they are. Begin with DefaultConfig.
type Config struct {
	Dir         string       `yaml:"dir" doc:"directory of the files; the indexers of a group must share it"`
	Compression string       `yaml:"compression" doc:"of the columns: zstd, snappy or none"`
	Chunk       chunk.Config `yaml:"chunk" doc:"how large files are"`
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	c := Config{Dir: "data/parquet", Compression: "zstd", Chunk: chunk.DefaultConfig()}
	c.Chunk.Age = 5 * time.Minute // sooner means more and smaller files, which readers like less
	return c
}

func codecs() map[string]compress.Codec {
	return map[string]compress.Codec{"zstd": &zstd.Codec{}, "snappy": &snappy.Codec{}, "none": &uncompressed.Codec{}}
}

// Validate names every fault by its key.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("dir: a directory is needed"))
	}
	if _, known := codecs()[c.Compression]; !known {
		errs = append(errs, fmt.Errorf("compression: %q is not one of zstd, snappy, none", c.Compression))
	}
	if err := c.Chunk.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("chunk.%w", err))
	}
	return errors.Join(errs...)
}

package parquet

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func quiet() logrus.FieldLogger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

func keeper(tb testing.TB, dir string) *Keeper {
	tb.Helper()
	cfg := DefaultConfig()
	cfg.Dir = dir
	k, err := New(cfg, time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// tree gives the data files below a directory with what is in them.
func tree(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if strings.HasPrefix(rel, "_tmp") {
			tb.Errorf("%s is left", rel)
		}
		if !strings.HasPrefix(rel, "_") {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			files[rel] = string(b)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

// duck runs a query in DuckDB.
func duck(tb testing.TB, query string) []map[string]any {
	tb.Helper()
	python := os.Getenv("IMWATCH_TEST_PYTHON")
	if python == "" {
		tb.Skip("IMWATCH_TEST_PYTHON is not set to a python that has DuckDB: test/infra/python/python.sh install")
	}
	cmd := exec.CommandContext(tb.Context(), python, "testdata/duck.py", query)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%v: %s\n%s", err, query, stderr.String())
	}
	var rows []map[string]any
	if err := json.Unmarshal(out, &rows); err != nil {
		tb.Fatalf("%v in %s", err, out)
	}
	return rows
}

// ids gives topic, partition and offset of each row of a file.
func ids(tb testing.TB, path string) []string {
	tb.Helper()
	f, err := os.Open(path)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		tb.Fatal(err)
	}
	type row struct {
		Kafka struct {
			Topic     string `parquet:"topic"`
			Partition int32  `parquet:"partition"`
			Offset    int64  `parquet:"offset"`
		} `parquet:"kafka"`
	}
	rows, err := parquet.Read[row](f, info.Size())
	if err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	var out []string
	for _, r := range rows {
		out = append(out, fmt.Sprintf("%s-%d-%d", r.Kafka.Topic, r.Kafka.Partition, r.Kafka.Offset))
	}
	return out
}

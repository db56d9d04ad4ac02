package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imwatch/internal/config"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

type part struct {
	Addr    string        `yaml:"addr" doc:"where to listen"`
	Timeout time.Duration `yaml:"timeout" doc:"how long to wait"`
	Key     string        `yaml:"key" doc:"the key" secret:"true"`
	Brokers []string      `yaml:"brokers" doc:"addresses"`
}

type receiver struct {
	Name  string `yaml:"name" doc:"its name"`
	Tries int    `yaml:"tries" doc:"how often"`
	Mail  *part  `yaml:"mail" doc:"by mail"`
}

func (r *receiver) SetDefaults() { r.Tries = 3 }

type tree struct {
	Kafka     part              `yaml:"kafka" doc:"The broker."`
	On        bool              `yaml:"on" doc:"whether"`
	Share     float64           `yaml:"share" doc:"how much"`
	Labels    map[string]string `yaml:"labels" doc:"free"`
	Receivers []receiver        `yaml:"receivers" doc:"who is told"`
}

func defaults() tree {
	return tree{Kafka: part{Addr: ":9092", Timeout: 90 * time.Second, Brokers: []string{"a:1", "b:2"}}, Share: 0.5}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("from file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := defaults()
	err := config.Load(&got, config.Source{
		Name: "x.yaml",
		YAML: []byte("kafka:\n  timeout: 1d12h\n  key: ${KEY}\nlabels: {team: im}\nreceivers:\n- name: ops\n  mail: {key: \"file:" + file + "\"}\n- {name: two, tries: 5}\n"),
		Env:  []string{"KEY=s3cret", "IMWATCH_KAFKA_BROKERS=c:3, d:4", "IMWATCH_SHARE=0.25", "IMWATCH_ON=true", "OTHER=x"}, Prefix: "IMWATCH_",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := tree{
		Kafka: part{Addr: ":9092", Timeout: 36 * time.Hour, Key: "s3cret", Brokers: []string{"c:3", "d:4"}},
		On:    true, Share: 0.25, Labels: map[string]string{"team": "im"},
		Receivers: []receiver{{Name: "ops", Tries: 3, Mail: &part{Key: "from file"}}, {Name: "two", Tries: 5}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A process that does not need a secret starts without it.
func TestSecretsOfOthersAreNotLookedUp(t *testing.T) {
	got := defaults()
	src := config.Source{Name: "x.yaml", YAML: []byte("kafka: {key: \"${KEY}\"}\nreceivers: [{mail: {key: \"${MAIL}\"}}]\n"), Env: []string{"KEY=k"}, Secrets: []string{"kafka"}}
	if err := config.Load(&got, src); err != nil || got.Kafka.Key != "k" || got.Receivers[0].Mail.Key != "" {
		t.Errorf("%+v, %v", got, err)
	}
	src.Secrets = nil
	if err := config.Load(&got, src); err == nil || !strings.Contains(err.Error(), "x.yaml:2:26: receivers[0].mail.key: environment variable MAIL is not set") {
		t.Errorf("got %v", err)
	}
}

func TestFaultsAreSaidAllAtOnce(t *testing.T) {
	got := defaults()
	err := config.Load(&got, config.Source{
		Name: "x.yaml",
		YAML: []byte("kafak: {}\nkafka:\n  timeuot: 3s\n  timeout: soon\n  key: plain\n  brokers: one\non: maybe\non: true\nreceivers: [{name: [1]}]\n"),
		Env:  []string{"IMWATCH_SHARE=much", "IMWATCH_RECEIVERS=x"}, Prefix: "IMWATCH_",
	})
	if err == nil {
		t.Fatal("taken")
	}
	want := `x.yaml:1:1: unknown key "kafak"; did you mean "kafka"?
x.yaml:3:3: kafka: unknown key "timeuot"; did you mean "timeout"?
x.yaml:4:12: kafka.timeout: found "soon", expected a duration such as 500ms, 30s, 5m, 2h, 7d
x.yaml:5:8: kafka.key: a secret is given as ${ENV} or file:PATH, never in the file itself
x.yaml:6:12: kafka.brokers: found "one", expected a list
x.yaml:7:5: on: found "maybe", expected true or false
x.yaml:8:1: key "on" is given twice
x.yaml:9:20: receivers[0].name: found a list, expected a text
environment variable IMWATCH_SHARE: found "much", expected a number
environment variable IMWATCH_RECEIVERS: receivers can only be given in the file`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if strings.Contains(err.Error(), "plain") {
		t.Error("a secret was printed")
	}
}

func TestPrintMasksSecretsAndReadsBack(t *testing.T) {
	c := defaults()
	c.Kafka.Key = "s3cret"
	c.Receivers = []receiver{{Name: "ops", Mail: &part{Key: "s3cret"}}}
	b, err := config.Print(&c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "s3cret") || strings.Count(string(b), config.Masked) != 2 {
		t.Errorf("secrets are not masked:\n%s", b)
	}
	c.Kafka.Key, c.Receivers[0].Mail.Key = "", ""
	b, err = config.Print(&c)
	if err != nil {
		t.Fatal(err)
	}
	var back tree
	if err := config.Load(&back, config.Source{Name: "printed", YAML: b}); err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	if diff := cmp.Diff(c, back, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got:\n%s\n%s", diff, b)
	}
}

func TestReferenceNamesEveryKey(t *testing.T) {
	c := defaults()
	ref := config.Reference(&c, "IMWATCH_")
	for _, want := range []string{
		"| `kafka.timeout` | `1m30s` | `IMWATCH_KAFKA_TIMEOUT` | how long to wait |", "`receivers[].tries` | `3` |", "`receivers[].mail.key`", "secret",
	} {
		if !strings.Contains(ref, want) {
			t.Errorf("%q is missing in\n%s", want, ref)
		}
	}
}

func TestDurations(t *testing.T) {
	for s, want := range map[string]time.Duration{"1w": 168 * time.Hour, "30d": 720 * time.Hour, "1d12h": 36 * time.Hour, "1h30m": 90 * time.Minute, "0s": 0} {
		d, err := config.ParseDuration(s)
		if err != nil || d != want {
			t.Errorf("%s: %v, %v", s, d, err)
		}
		if back, err := config.ParseDuration(config.FormatDuration(d)); err != nil || back != d {
			t.Errorf("%s is printed as %s", s, config.FormatDuration(d))
		}
	}
	for _, s := range []string{"", "5", "d", "1x", "1.5d"} {
		if _, err := config.ParseDuration(s); err == nil {
			t.Errorf("%q was taken", s)
		}
	}
}

func TestPlaces(t *testing.T) {
	p := config.PlacesOf(config.Source{Name: "x.yaml", YAML: []byte("kafka: {addr: x}\nreceivers:\n  - name: a\n    mail: {key: k}\n  - &b {name: b}\n  - *b\n")})
	for fault, want := range map[string]string{
		"kafka.addr: bad":                  "x.yaml:1:15: kafka.addr: bad",
		"kafka.timeout: bad":               "kafka.timeout: bad",
		"receivers[0].mail.key: bad: very": "x.yaml:4:17: receivers[0].mail.key: bad: very",
		"receivers[1].tries: bad":          "x.yaml:5:5: receivers[1].tries: bad",
		"receivers[2].name: bad":           "x.yaml:3:3: receivers[2].name: bad",
		"receivers[9].name: bad":           "x.yaml:3:3: receivers[9].name: bad",
		"nothing":                          "nothing",
		"":                                 "",
	} {
		if got := p.Locate(fault); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if none := config.PlacesOf(config.Source{YAML: []byte("{")}); none.Locate("kafka.addr: bad") != "kafka.addr: bad" {
		t.Error("no YAML has no places")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte("kafka:\n  timeout: 3s\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		c := defaults()
		if config.Load(&c, config.Source{Name: "f", YAML: src}) == nil {
			if _, err := config.Print(&c); err != nil {
				t.Fatal(err)
			}
		}
	})
}

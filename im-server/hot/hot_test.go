package hot

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

type config struct {
	Addr   string   `yaml:"addr"`
	Lists  []string `yaml:"lists" hot:"true"`
	Limits limits   `yaml:"limits" hot:"true"`
	Keys   []key    `yaml:"keys" hot:"true"`
	Token  string   `yaml:"token" secret:"true" hot:"true"`
}

type limits struct {
	Rooms int           `yaml:"rooms"`
	Rate  float64       `yaml:"rate"`
	On    bool          `yaml:"on"`
	Wait  time.Duration `yaml:"wait"`
	Fixed int           `yaml:"fixed" hot:"false"`
}

type key struct {
	ID     string `yaml:"id"`
	Secret string `yaml:"secret" secret:"true"`
}

func draw(t *rapid.T, name string) config {
	return config{
		Addr:   rapid.SampledFrom([]string{"", ":1", ":2"}).Draw(t, name+" addr"),
		Lists:  rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b"}), 0, 2).Draw(t, name+" lists"),
		Limits: limits{Rooms: rapid.IntRange(0, 2).Draw(t, name+" rooms"), Wait: time.Duration(rapid.IntRange(0, 2).Draw(t, name+" wait")), Fixed: rapid.IntRange(0, 2).Draw(t, name+" fixed")},
		Keys:   []key{{"k", rapid.SampledFrom([]string{"s3cret-1", "s3cret-2"}).Draw(t, name+" secret")}},
		Token:  rapid.SampledFrom([]string{"", "s3cret-3"}).Draw(t, name+" token"),
	}
}

// TestMerge: what is merged has every hot key of what is wanted and every other key of what runs; merging once more
// finds only what is not hot; no secret is ever printed.
func TestMerge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		running, wanted := draw(rt, "running"), draw(rt, "wanted")
		merged, changes := Merge(&running, &wanted)
		want := wanted
		want.Addr, want.Limits.Fixed = running.Addr, running.Limits.Fixed
		if len(want.Lists)+len(merged.Lists) == 0 {
			want.Lists = merged.Lists
		}
		if diff := cmp.Diff(want, merged); diff != "" {
			rt.Fatalf("-want +got\n%s", diff)
		}
		for _, c := range changes {
			if strings.Contains(c.From+c.To, "s3cret") {
				rt.Fatalf("a secret is printed: %+v", c)
			}
		}
		_, left := Merge(&merged, &wanted)
		for _, c := range left {
			if c.Hot {
				rt.Fatalf("%+v was not merged", c)
			}
		}
	})
}

func TestChangesAreReadable(t *testing.T) {
	t.Parallel()
	a := config{Addr: ":1", Lists: []string{"x"}, Limits: limits{Rooms: 1, Wait: time.Second}, Keys: []key{{"k", "one"}}}
	b := config{Addr: ":2", Lists: []string{"x", "y"}, Limits: limits{Rooms: 2, Wait: time.Minute}, Keys: []key{{"k", "two"}}, Token: "three"}
	_, got := Merge(&a, &b)
	want := []Change{
		{"addr", ":1", ":2", false},
		{"lists", "[x]", "[x, y]", true},
		{"limits.rooms", "1", "2", true},
		{"limits.wait", "1s", "1m0s", true},
		{"keys", "[{id: k, secret: ********}]", "[{id: k, secret: ********}]", true},
		{"token", "", "********", true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	c := config{Limits: limits{Rooms: 1}}
	if err := Set(&c, []byte(`{"limits.rooms": 5, "lists": ["x"], "limits.wait": "5s", "limits.rate": 0.5, "limits.on": true}`)); err != nil {
		t.Fatal(err)
	}
	want := config{Lists: []string{"x"}, Limits: limits{Rooms: 5, Rate: 0.5, On: true, Wait: 5 * time.Second}}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSetNamesFaults(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{
		`{"limits.romms": 5}`:      "limits.romms: no such key; did you mean limits.rooms?",
		`{"limits.rooms": "many"}`: `limits.rooms: expected a whole number, found "many"`,
		`{"limits.rooms": 1.5}`:    "limits.rooms: expected a whole number, found 1.5",
		`{"limits.rooms": null}`:   "limits.rooms: expected a whole number, found null",
		`{"limits.wait": 5}`:       `limits.wait: expected a duration such as "10s", found 5`,
		`{"lists": "x"}`:           `lists: expected a list, found "x"`,
		`{"addr": ":2"}`:           "addr: it cannot change while the server runs",
		`{"limits.fixed": 2}`:      "limits.fixed: it cannot change while the server runs",
		`{"token": "x"}`:           "token: a secret is changed in its file",
		`{"keys": []}`:             "keys: it is too much for one value",
		`[]`:                       "expected a JSON object",
		`{}`:                       "found none",
		`{"limits.rooms": 2, "limits.on": "yes"}`: "limits.on: expected true or false",
	} {
		c := config{Limits: limits{Rooms: 1}}
		err := Set(&c, []byte(object))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", object, err, want)
		}
		if diff := cmp.Diff(config{Limits: limits{Rooms: 1}}, c); diff != "" {
			t.Errorf("%s changed something: -want +got\n%s", object, diff)
		}
	}
}

// FuzzSet holds that no request changes a key that is not hot, and that a refused one changes nothing.
func FuzzSet(f *testing.F) {
	f.Add([]byte(`{"limits.rooms": 5, "lists": ["x", "y"], "limits.wait": "1h"}`))
	f.Add([]byte(`{"addr": ":2", "token": "x", "limits.fixed": 3, "keys": [{"id": "k"}]}`))
	f.Fuzz(func(t *testing.T, object []byte) {
		before := config{Addr: ":1", Token: "t", Limits: limits{Rooms: 1, Fixed: 1}, Keys: []key{{"k", "s"}}}
		c := before
		err := Set(&c, object)
		_, changes := Merge(&before, &c)
		for _, ch := range changes {
			if !ch.Hot || err != nil || ch.Key == "token" || ch.Key == "keys" {
				t.Fatalf("%q changed %+v with error %v", object, ch, err)
			}
		}
	})
}

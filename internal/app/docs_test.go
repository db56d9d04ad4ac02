package app

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"imwatch/internal/config"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite generated documents")

func TestConfigReference(t *testing.T) {
	const file = "../../docs/config.md"
	cfg := DefaultConfig()
	got := "# Configuration\n\n<!-- Made from the Config structs; change their doc tags and run `make generate`. -->\n\n" +
		"One YAML file (`--config imwatch.yaml`); every key has a default, and every key with a variable in the table can be overridden\n" +
		"by the environment. An unknown key is an error that names its place and the nearest known one. Secrets are given as `${ENV}` or\n" +
		"`file:PATH` only and are masked wherever they are printed. `imwatch config check` says what is wrong, `imwatch config print` what\n" +
		"counts. Durations: `500ms`, `30s`, `5m`, `2h`, `7d`. A key marked (hot) changes while the IM server runs\n" +
		"([how](im-server.md#changing-the-configuration)).\n\n" +
		"`imwatch up --data DIR` puts every file that still has its default below DIR and makes a token secret and an operations token there.\n" +
		config.Reference(&cfg, EnvPrefix)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/config.md differs; run make generate:\n%s", diff)
	}
}

// What is shipped as a configuration must be one.
func TestShippedConfiguration(t *testing.T) {
	env := []string{"JWT_SECRET=0123456789abcdef0123456789abcdef", "WECOM_URL=https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=k"}
	for _, role := range Roles() {
		if _, err := LoadConfig("../../deploy/imwatch.yaml", env, role.keys...); err != nil {
			t.Errorf("%s: %v", role.Name, err)
		}
	}
	for _, role := range []string{"ship", "index", "detect"} {
		if _, err := LoadConfig("../../deploy/imwatch.yaml", nil, ConfigKeys(role)...); err != nil {
			t.Errorf("%s needs no secret: %v", role, err)
		}
	}
}

func TestUpConfigStandsBelowItsFolder(t *testing.T) {
	dir := t.TempDir()
	cfg, err := LoadUpConfig("", nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{cfg.Embedded.Broker.Dir, cfg.Embedded.Store.Dir, cfg.Parquet.Dir, cfg.IMServer.Log.Path, cfg.Shipper.Checkpoint, cfg.Detector.Checkpoint, cfg.Shipper.Sources[0].Paths[0]} {
		if rel, err := filepath.Rel(dir, path); err != nil || !filepath.IsLocal(rel) {
			t.Errorf("%s is not below %s", path, dir)
		}
	}
	again, err := LoadUpConfig("", nil, dir)
	if err != nil || again.IMServer.JWT.Keys[0].Secret != cfg.IMServer.JWT.Keys[0].Secret {
		t.Errorf("the token secret must stay the same: %v", err)
	}
	if tok := trialToken(cfg); tok == "" {
		t.Error("no token to try")
	}
}

package geo

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"imwatch/event"
)

var epoch = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// write makes a database of one network.
func write(tb testing.TB, path, network string, rec mmdbtype.Map) {
	tb.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "test", IncludeReservedNetworks: true, RecordSize: 24, BuildEpoch: epoch.Unix()})
	if err != nil {
		tb.Fatal(err)
	}
	_, prefix, err := net.ParseCIDR(network)
	if err != nil {
		tb.Fatal(err)
	}
	if err := tree.Insert(prefix, rec); err != nil {
		tb.Fatal(err)
	}
	f, err := os.Create(path + ".new")
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := tree.WriteTo(f); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		tb.Fatal(err)
	}
}

func city(code string, lat, lon float64) mmdbtype.Map {
	return mmdbtype.Map{
		"country":  mmdbtype.Map{"iso_code": mmdbtype.String(code)},
		"location": mmdbtype.Map{"latitude": mmdbtype.Float64(lat), "longitude": mmdbtype.Float64(lon)},
	}
}

// opened gives places of a city and an ASN database.
func opened(tb testing.TB, counts map[string]int) (*Places, string) {
	tb.Helper()
	dir := tb.TempDir()
	cityFile, asFile := filepath.Join(dir, "city.mmdb"), filepath.Join(dir, "asn.mmdb")
	write(tb, cityFile, "192.0.2.0/24", city("CN", 31.2222, 121.4581))
	write(tb, asFile, "192.0.2.0/25", mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(64500), "autonomous_system_organization": mmdbtype.String("Example Net")})
	p, err := Open(Config{Files: []string{cityFile, asFile}, CheckInterval: time.Minute}, func(r string) { counts[r]++ }, epoch)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	return p, cityFile
}

func enriched(p *Places, ip string) string {
	var e event.Event
	e.SetText(event.FieldClientIP, ip)
	p.Enrich(&e)
	return string(e.AppendJSON(nil))
}

func TestEnrich(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	p, _ := opened(t, counts)
	for range 2 { // looked up, then remembered
		for ip, want := range map[string]string{
			"192.0.2.1":        `{"client":{"ip":"192.0.2.1","geo":{"country_iso_code":"CN","location":{"lat":31.2222,"lon":121.4581}},"as":{"number":64500,"organization":{"name":"Example Net"}}}}`,
			"192.0.2.200":      `{"client":{"ip":"192.0.2.200","geo":{"country_iso_code":"CN","location":{"lat":31.2222,"lon":121.4581}}}}`,
			"::ffff:192.0.2.1": `{"client":{"ip":"::ffff:192.0.2.1","geo":{"country_iso_code":"CN","location":{"lat":31.2222,"lon":121.4581}},"as":{"number":64500,"organization":{"name":"Example Net"}}}}`,
			"198.51.100.1":     `{"client":{"ip":"198.51.100.1"}}`,
			"2001:db8::1":      `{"client":{"ip":"2001:db8::1"}}`,
			"":                 `{}`,
		} {
			if d := cmp.Diff(want, enriched(p, ip)); d != "" {
				t.Error(d)
			}
		}
	}
	if d := cmp.Diff(map[string]int{Found: 6, Missing: 4}, counts); d != "" {
		t.Error(d)
	}
	var e event.Event
	e.SetText(event.FieldClientIP, "192.0.2.1")
	e.SetText(event.FieldClientGeoCountry, "DE")
	if p.Enrich(&e); e.Text(event.FieldClientGeoCountry) != "DE" || e.Int(event.FieldClientASNumber) != 64500 {
		t.Error("what the line says must stay")
	}
}

func TestReplacedDatabases(t *testing.T) {
	t.Parallel()
	p, file := opened(t, map[string]int{})
	country := func() string {
		var e event.Event
		e.SetText(event.FieldClientIP, "192.0.2.1")
		p.Enrich(&e)
		return e.Text(event.FieldClientGeoCountry)
	}
	if country() != "CN" {
		t.Fatal("not found")
	}
	write(t, file, "192.0.2.0/24", city("DE", 52.5, 13.4))
	if err := os.Chtimes(file, epoch, epoch.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := p.Refresh(epoch.Add(time.Second)); err != nil || country() != "CN" {
		t.Errorf("looked before the interval was over: %s, %v", country(), err)
	}
	if err := p.Refresh(epoch.Add(time.Minute)); err != nil || country() != "DE" {
		t.Errorf("got %s, %v", country(), err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := p.Refresh(epoch.Add(2 * time.Minute)); err == nil || country() != "DE" {
		t.Errorf("a lost database must be told and go on: %s, %v", country(), err)
	}
	if err := os.WriteFile(file, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Refresh(epoch.Add(3 * time.Minute)); err == nil || !strings.Contains(err.Error(), file) || country() != "DE" {
		t.Errorf("a damaged database must be told and the former one kept: %s, %v", country(), err)
	}
	write(t, file, "192.0.2.0/24", city("FR", 48.8, 2.3))
	if err := p.Refresh(epoch.Add(4 * time.Minute)); err != nil || country() != "FR" {
		t.Errorf("got %s, %v", country(), err)
	}
}

// A file that is cut short under the reader fails the lookup, not the process.
func TestTruncatedInPlace(t *testing.T) {
	t.Parallel()
	counts := map[string]int{}
	p, file := opened(t, counts)
	if err := os.Truncate(file, 0); err != nil {
		t.Fatal(err)
	}
	if got := enriched(p, "192.0.2.1"); counts[Failed] != 1 || !strings.Contains(got, `"number":64500`) || strings.Contains(got, "CN") {
		t.Errorf("%s, %v", got, counts)
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.mmdb")
	if err := os.WriteFile(bad, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Config{Files: []string{bad, filepath.Join(dir, "none.mmdb")}}, nil, epoch)
	if err == nil || !strings.Contains(err.Error(), "bad.mmdb") || !strings.Contains(err.Error(), "none.mmdb: no such file") {
		t.Error(err)
	}
	if err := (Config{Files: []string{""}}).Validate(); err == nil || !strings.Contains(err.Error(), "files[0]") || !strings.Contains(err.Error(), "check_interval") {
		t.Error(err)
	}
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	p, _ := opened(t, map[string]int{})
	for i := range 2 * remembered {
		p.lookup(fmt.Sprintf("10.%d.%d.1", i>>8&255, i&255))
		p.lookup(fmt.Sprintf("11.%d.%d.1", i>>8&255, i&255))
	}
	if len(p.known) > remembered {
		t.Errorf("%d addresses are remembered", len(p.known))
	}
}

func BenchmarkEnrich(b *testing.B) {
	p, _ := opened(b, map[string]int{})
	b.ReportAllocs()
	var e event.Event
	for b.Loop() {
		e.Reset()
		e.SetText(event.FieldClientIP, "192.0.2.1")
		p.Enrich(&e)
	}
}

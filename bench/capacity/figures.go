package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Figure is one number that was measured, and what was run to get it.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	How   string  `json:"how"`
	Date  string  `json:"date"` // 2006-01-02
}

// Figures are the measured numbers, in the order of the file.
type Figures []Figure

// names of the figures that the plan is made of.
const (
	figLine        = "line_bytes"
	figKafkaLine   = "kafka_bytes_per_line"
	figKafkaCPU    = "kafka_cpu_s_per_million_lines"
	figDoc         = "elasticsearch_bytes_per_doc"
	figDocMerged   = "elasticsearch_bytes_per_doc_merged"
	figDocBest     = "elasticsearch_bytes_per_doc_best_compression"
	figElastic     = "elasticsearch_docs_per_cpu_s"
	figIndex       = "index_docs_per_cpu_s"
	figIndexMemory = "index_peak_mib"
	figShip        = "ship_cpu_s_per_gb"
	figShipMemory  = "ship_peak_mib"
	figDetect      = "detect_events_per_cpu_s"
	figShared      = "detect_shared_events_per_core_s"
	figCopies      = "detect_copies_of_an_event"
	figKey         = "detect_bytes_per_key"
	figAlert       = "alert_cpu_ms_per_alert"
	figConnection  = "server_kib_per_connection"
	figConnect     = "server_cpu_ms_per_connect"
	figIdle        = "server_idle_cores_per_10000"
	figDelivery    = "server_cpu_us_per_delivery"
)

// load reads the file of figures and checks that the plan's are there, each with where it came from.
func load(file string) (Figures, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the measured figures: %w", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	var fs Figures
	if err := dec.Decode(&fs); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var errs []error
	for i, f := range fs {
		if f.Value <= 0 || f.Unit == "" || f.How == "" || f.Date == "" {
			errs = append(errs, fmt.Errorf("%s: %q needs a value above 0, a unit, how it was measured, and a date", file, f.Name))
		}
		if slices.ContainsFunc(fs[:i], func(o Figure) bool { return o.Name == f.Name }) {
			errs = append(errs, fmt.Errorf("%s: %q stands twice", file, f.Name))
		}
	}
	for _, name := range needed {
		if _, ok := fs.find(name); !ok {
			errs = append(errs, fmt.Errorf("%s: %q is missing", file, name))
		}
	}
	return fs, errors.Join(errs...)
}

var needed = []string{
	figLine, figKafkaLine, figKafkaCPU, figDoc, figDocMerged, figDocBest, figElastic, figIndex, figIndexMemory, figShip, figShipMemory,
	figDetect, figShared, figCopies, figKey, figAlert, figConnection, figConnect, figIdle, figDelivery,
}

func (fs Figures) find(name string) (Figure, bool) {
	i := slices.IndexFunc(fs, func(f Figure) bool { return f.Name == name })
	if i < 0 {
		return Figure{}, false
	}
	return fs[i], true
}

// of gives the value of a figure that load has found.
func (fs Figures) of(name string) float64 {
	f, _ := fs.find(name)
	return f.Value
}

// put sets a figure, at its place if it is there.
func (fs *Figures) put(f Figure) {
	if i := slices.IndexFunc(*fs, func(o Figure) bool { return o.Name == f.Name }); i >= 0 {
		(*fs)[i] = f
		return
	}
	*fs = append(*fs, f)
}

// save writes the file of figures.
func (fs Figures) save(file string) error {
	b, err := json.MarshalIndent(fs, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the measured figures: %w", err)
	}
	if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the measured figures: %w", err)
	}
	return nil
}

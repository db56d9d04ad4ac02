package app

import (
	"encoding/json"
	"net/http"

	"imwatch/detector"
)

// rulesPage shows the rules that run, and how they fare, as JSON.
func rulesPage(rules func() detector.RulesStatus) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, rules()) }
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // who asked has gone away
}

package kibana

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// coreVersion is the migration stamp that all objects carry; newer Kibanas migrate from it.
const coreVersion = "8.8.0"

// Ids of the data views, which links and other objects use.
const (
	EventsView      = "imwatch-events"
	AlertsView      = "imwatch-alerts"
	NotifyView      = "imwatch-notifications"
	DeadLettersView = "imwatch-deadletters"
)

type reference struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// object is one line of the NDJSON.
type object struct {
	Type       string         `json:"type"`
	ID         string         `json:"id"`
	Attributes map[string]any `json:"attributes"`
	References []reference    `json:"references"`
	Core       string         `json:"coreMigrationVersion"`
	Version    string         `json:"typeMigrationVersion"`
	Managed    bool           `json:"managed"`
}

// typeVersions are the migration stamps by type.
func typeVersions() map[string]string {
	return map[string]string{"index-pattern": "8.0.0", "search": "10.5.0", "dashboard": "8.9.0", "tag": "8.0.0"}
}

func newObject(typ, id string, attributes map[string]any, refs ...reference) object {
	if refs == nil {
		refs = []reference{}
	}
	return object{Type: typ, ID: id, Attributes: attributes, References: refs, Core: coreVersion, Version: typeVersions()[typ]}
}

// text encodes what Kibana keeps as JSON inside a string.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // only maps of plain values are given
		panic(fmt.Sprintf("encoding a saved object: %v", err))
	}
	return string(b)
}

// NDJSON gives all objects, one a line, in the form that POST /api/saved_objects/_import takes as a file.
func NDJSON() []byte {
	var buf bytes.Buffer
	for _, o := range objects() {
		buf.WriteString(text(o))
		buf.WriteByte('\n')
	}
	return buf.Bytes()
}

func objects() []object {
	all := []object{newObject("tag", tagID, map[string]any{"name": "imwatch", "description": "connections of the instant-messaging service", "color": "#0077CC"})}
	all = append(all, views()...)
	all = append(all, searches()...)
	for _, d := range dashboards() {
		all = append(all, d.object())
	}
	return all
}

const tagID = "imwatch-tag"

func tagRef() reference { return reference{"tag", tagID, "tag-ref-" + tagID} }

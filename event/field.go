package event

import "strings"

// Type is the type of a field, as Elasticsearch and KQL know it.
type Type uint8

// The types of fields.
const (
	Keyword   Type = iota // text compared as a whole, by bytes
	Text                  // text searched by words
	Long                  // 64-bit integer
	Float                 // 64-bit floating point
	Bool                  // true, false
	Date                  // an instant, RFC 3339
	IP                    // an IPv4 or IPv6 address
	GeoPoint              // latitude and longitude
	Flattened             // an object of free keys with keyword values
)

// String gives the Elasticsearch name of the type.
func (t Type) String() string {
	return [...]string{"keyword", "text", "long", "float", "boolean", "date", "ip", "geo_point", "flattened"}[t]
}

// Group says which lines a field belongs to.
type Group uint8

// The groups of fields.
const (
	Base     Group = iota // every event has it
	Optional              // where it applies
	Pipeline              // added by the pipeline, or on its own records
	AlertGroup
)

// FieldID is the number of a field in the table. It is not stable over versions: names are what is stored.
type FieldID uint8

// NoField is the id of a name that the contract does not have.
const NoField FieldID = 255

// Field is one row of the table.
type Field struct {
	ID      FieldID
	Name    string // dotted
	Type    Type
	List    bool // more than one value is usual
	Group   Group
	When    string // when it is present
	Meaning string
}

// Fields gives the table in its canonical order, in which fields of one object stand together. The caller may keep
// and change the slice.
func Fields() []Field { return append([]Field(nil), table[:]...) }

// FieldByID gives the row of id, which must be in the table.
func FieldByID(id FieldID) Field { return table[id] }

// LabelPrefix is the namespace of free fields: every name below it is a keyword.
const LabelPrefix = "labels."

// aliases are the short names that queries may use, and what they stand for. Never changed.
var aliases = [...]struct{ alias, name string }{
	{"client_ip", "client.ip"},
	{"level", "log.level"},
	{"path", "url.path"},
	{"status", "http.response.status_code"},
}

// Aliases gives the short names that queries may use, and what they stand for.
func Aliases() map[string]string {
	m := make(map[string]string, len(aliases))
	for _, a := range aliases {
		m[a.alias] = a.name
	}
	return m
}

// FieldByName resolves a full name or an alias. labels.* are keywords with NoField as their id.
func FieldByName(name string) (Field, bool) {
	for _, a := range aliases {
		if name == a.alias {
			name = a.name
			break
		}
	}
	if id := lookup(name); id != NoField {
		return table[id], true
	}
	if label, ok := strings.CutPrefix(name, LabelPrefix); ok && label != "" {
		return Field{ID: NoField, Name: name, Type: Keyword, Group: Optional, When: "free", Meaning: "a free label"}, true
	}
	return Field{}, false
}

// NumFields is the number of fields in the table; their ids are below it.
const NumFields = numFields

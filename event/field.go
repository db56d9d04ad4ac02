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

// Aliases gives the short names that queries may use, and what they stand for.
func Aliases() map[string]string {
	return map[string]string{
		"status":    "http.response.status_code",
		"path":      "url.path",
		"client_ip": "client.ip",
		"level":     "log.level",
	}
}

// FieldByName resolves a full name or an alias. labels.* are keywords with NoField as their id.
func FieldByName(name string) (Field, bool) {
	switch name {
	case "status":
		name = "http.response.status_code"
	case "path":
		name = "url.path"
	case "client_ip":
		name = "client.ip"
	case "level":
		name = "log.level"
	}
	if id := lookup(name); id != NoField {
		return table[id], true
	}
	if label, ok := strings.CutPrefix(name, LabelPrefix); ok && label != "" {
		return Field{ID: NoField, Name: name, Type: Keyword, Group: Optional, When: "free", Meaning: "a free label"}, true
	}
	return Field{}, false
}

// NearestField gives the known name that is closest to an unknown one, for error messages; "" when none is near.
func NearestField(name string) string {
	best, bestDist := "", len(name)/2+1
	for i := range table {
		if d := editDistance(name, table[i].Name); d < bestDist {
			best, bestDist = table[i].Name, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diag, row[j] = row[j], min(row[j]+1, row[j-1]+1, diag+cost)
		}
	}
	return row[len(b)]
}

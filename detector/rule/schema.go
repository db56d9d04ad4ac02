package rule

import "maps"

// schema is a JSON Schema (draft 2020-12), or a part of one.
type schema = map[string]any

// SchemaID names the published JSON Schema of a rule.
const SchemaID = "urn:imwatch:rule:1"

// Schema gives the JSON Schema of one rule document, for editors. It is made from the very keys that the loader
// reads; KQL, templates and what depends on other keys are the linter's.
func Schema() map[string]any {
	s := objectSchema(ruleKeys())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["$id"] = SchemaID
	s["title"] = "imwatch rule"
	s["description"] = "one detection rule; a file may hold several documents"
	return s
}

func objectSchema[T any](keys []key[T]) schema {
	props := schema{}
	for _, k := range keys {
		p := schema{"description": k.doc}
		maps.Copy(p, k.schema)
		props[k.name] = p
	}
	s := schema{"type": "object", "properties": props, "additionalProperties": false}
	if r := required(keys); len(r) > 0 {
		s["required"] = r
	}
	return s
}

func detectSchema() schema {
	s := objectSchema(detectKeys())
	s["minProperties"], s["maxProperties"] = 1, 1
	return s
}

func textSchema() schema { return schema{"type": "string", "minLength": 1} }

func kqlSchema() schema { return textSchema() }

func scalarSchema() schema { return schema{"type": []string{"string", "number", "boolean"}} }

func enum(values ...string) schema { return schema{"type": "string", "enum": values} }

func listSchema(of schema) schema { return schema{"type": "array", "items": of} }

func integerSchema(least, most int) schema {
	return schema{"type": "integer", "minimum": least, "maximum": most}
}

func closedMap(names []string, of schema) schema {
	props := schema{}
	for _, name := range names {
		props[name] = of
	}
	return schema{"type": "object", "properties": props, "additionalProperties": false}
}

const durationPattern = `(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?`

func durationSchema() schema {
	return schema{"type": "string", "minLength": 2, "pattern": "^" + durationPattern + "$"}
}

func spanSchema() schema {
	return schema{"type": "string", "minLength": 2, "pattern": "^" + durationPattern + `(?:\.\.` + durationPattern + ")?$"}
}

const comparisonPattern = `^\s*(>=|<=|==|!=|>|<)\s*[-+]?[0-9.]+([eE][-+]?[0-9]+)?`

func comparisonSchema() schema {
	return schema{"type": "string", "pattern": comparisonPattern + `\s*$`}
}

func percentSchema() schema { return schema{"type": "string", "pattern": comparisonPattern + `%?\s*$`} }

func quantitySchema() schema {
	return schema{"type": "string", "pattern": comparisonPattern + `(ms|s|m|h|d|w)?\s*$`}
}

func aggSchema() schema {
	return schema{"type": "string", "pattern": `^(sum|avg|min|max|p[0-9]{1,2}(\.[0-9]+)?)$`}
}

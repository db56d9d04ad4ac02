// Package event is the language of the pipeline: the Event that crosses every border between the stages, the table
// of its fields, and the closed lists of actions, close reasons and handshake reasons.
//
// The field table in fields.go is the one source: JSON, JSON Schema, Elasticsearch mapping, the types that KQL sees
// and the reference page are made from it. The package imports the standard library only, so that everybody can
// import it.
package event

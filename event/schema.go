package event

import "strings"

// SchemaID names the published JSON Schema of an event line.
const SchemaID = "urn:imwatch:event:1"

// Schema gives the JSON Schema (draft 2020-12) of an event line in its nested form, from the table and the closed
// lists. Dotted names are read too, but not described: a writer should nest.
func Schema() map[string]any {
	props := map[string]any{}
	for i := range table {
		put(props, strings.Split(table[i].Name, "."), schemaOf(table[i]))
	}
	closeObjects(props)
	props["labels"] = map[string]any{
		"type": "object", "description": "free fields",
		"additionalProperties": map[string]any{"type": []string{"string", "number", "boolean", "null"}},
	}
	return map[string]any{
		"$schema":     "https://json-schema.org/draft/2020-12/schema",
		"$id":         SchemaID,
		"title":       "imwatch event",
		"description": "one line of the log of an instant-messaging server; names follow the Elastic Common Schema " + ECSVersion,
		"type":        "object",
		"required":    []string{"@timestamp"},
		"properties":  props,
	}
}

// closeObjects marks the objects between, which put has made without a type.
func closeObjects(props map[string]any) {
	for _, v := range props {
		m := v.(map[string]any)
		if inner, ok := m["properties"].(map[string]any); ok {
			m["type"] = "object"
			closeObjects(inner)
		}
	}
}

func schemaOf(f Field) map[string]any {
	m := map[string]any{}
	switch f.Type {
	case Keyword, Text:
		m["type"] = "string"
	case Long:
		m["type"] = "integer"
	case Float:
		m["type"] = "number"
	case Bool:
		m["type"] = "boolean"
	case Date:
		m["type"], m["format"] = "string", "date-time"
	case IP:
		m["type"], m["anyOf"] = "string", []any{map[string]any{"format": "ipv4"}, map[string]any{"format": "ipv6"}}
	case GeoPoint:
		m["type"], m["required"] = "object", []string{"lat", "lon"}
	case Flattened:
		m["type"] = "object"
	}
	if values := closedList(f.ID); values != nil {
		m["enum"] = values
	}
	if f.List {
		m = map[string]any{"anyOf": []any{m, map[string]any{"type": "array", "items": m}}}
	}
	m["description"] = f.Meaning
	return m
}

// closedList gives the values that a field is limited to, nil where it is free. event.reason stays free: foreign
// services have reasons of their own.
func closedList(id FieldID) []string {
	var values []string
	switch id {
	case FieldCloseReason, FieldConnPrevReason:
		for _, r := range CloseReasons() {
			values = append(values, r.Reason)
		}
	case FieldLogLevel:
		return []string{LevelTrace, LevelDebug, LevelInfo, LevelWarn, LevelError, LevelFatal}
	case FieldEventOutcome:
		return []string{OutcomeSuccess, OutcomeFailure, OutcomeUnknown}
	case FieldHandshakeStage:
		return []string{StageTLS, StageIP, StageRate, StageCapacity, StageOrigin, StageUpgrade, StageAuth, StageSecondFactor, StageHello}
	case FieldCloseInitiator:
		return []string{ByClient, ByServer, ByNetwork, ByProxy}
	case FieldCloseRetry:
		return []string{RetryResume, RetryBackoff, RetryNever}
	case FieldClosePhase:
		return []string{"handshake", "hello", "active", "resume", "drain"}
	case FieldMessageDirection:
		return []string{"in", "out"}
	case FieldTopicKind:
		return []string{"global", "room", "private"}
	case FieldAlertState:
		return []string{StateFiring, StateUpdated, StateResolved}
	case FieldAlertSeverity:
		return Severities()
	}
	return values
}

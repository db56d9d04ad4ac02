package kibana

import "imwatch/event"

// views gives the data views. Durations are shown as times, not as nanoseconds.
func views() []object {
	formats := text(map[string]any{
		"event.duration": map[string]any{"id": "duration", "params": map[string]any{"inputFormat": "nanoseconds", "outputFormat": "humanizePrecise", "outputPrecision": 1, "useShortSuffix": true}},
		"im.bytes.in":    map[string]any{"id": "bytes"},
		"im.bytes.out":   map[string]any{"id": "bytes"},
	})
	return []object{
		view(EventsView, event.EventIndices, "imwatch: connections", formats),
		view(AlertsView, event.AlertIndices, "imwatch: alerts", "{}"),
		view(NotifyView, event.NotifyIndices, "imwatch: notifications", text(map[string]any{
			"im.notify.told_after_ms": map[string]any{"id": "duration", "params": map[string]any{"inputFormat": "milliseconds", "outputFormat": "humanizePrecise", "outputPrecision": 1, "useShortSuffix": true}},
		})),
		view(DeadLettersView, event.DeadLetterIndices, "imwatch: dead letters", "{}"),
	}
}

func view(id, pattern, name, formats string) object {
	return newObject("index-pattern", id, map[string]any{
		"title": pattern, "name": name, "timeFieldName": "@timestamp", "allowNoIndex": true,
		"fieldFormatMap": formats, "fieldAttrs": "{}", "fields": "[]", "runtimeFieldMap": "{}", "sourceFilters": "[]", "typeMeta": "{}",
	})
}

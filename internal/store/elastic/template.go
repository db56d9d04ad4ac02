package elastic

import (
	"fmt"
	"maps"

	"imwatch/event"
)

// kind is one sort of index: what its names look like and how long it is kept.
type kind struct {
	name    string
	pattern string
	days    int  // from the index's first instant until it is deleted; 0: never
	daily   bool // the name ends in a day, from which the age counts; else it counts from the index's making
	more    obj  // settings that only its indices have
}

const longestMonth = 31

// kinds gives the sorts of indices. A day or month of documents goes as a whole, when its last instant's time is up.
func (c Config) kinds() []kind {
	var all []kind
	for _, class := range event.Classes() {
		all = append(all, kind{"imwatch-connection-" + class.Name, "im-connection-" + class.Name + "-*", class.Days + 1, true, c.ofEvents(class)})
	}
	return append(all,
		kind{"imwatch-deadletter", event.DeadLetterIndices, c.DeadLetterDays + 1, true, nil},
		kind{"imwatch-alerts", event.AlertIndices, c.AlertDays + longestMonth, false, nil},
		kind{"imwatch-notify", "im-notify-*", c.AlertDays + longestMonth, false, nil},
		kind{"imwatch-desk", "im-desk-*", c.AlertDays + longestMonth, false, nil},
		kind{"imwatch-silences", "im-silences", 0, false, nil},
		kind{"imwatch-budgets", "im-budgets", 0, false, nil})
}

// ofEvents are the settings that only indices of a class of events have.
func (c Config) ofEvents(class event.Class) obj {
	more := obj{}
	if n, ok := c.ShardsByClass[class.Name]; ok {
		more["index.number_of_shards"] = n
	}
	if c.RefreshInterval > 0 {
		more["index.refresh_interval"] = fmt.Sprintf("%dms", c.RefreshInterval.Milliseconds())
	}
	return more
}

// managed marks what is ours, so that an operator knows that the next set-up replaces it.
func managed() obj { return obj{"managed_by": "imwatch"} }

// policy is the lifecycle policy of a kind.
func (k kind) policy() obj {
	return obj{"policy": obj{
		"_meta": managed(),
		"phases": obj{
			"hot":    obj{"min_age": "0ms", "actions": obj{}},
			"delete": obj{"min_age": fmt.Sprintf("%dd", k.days), "actions": obj{"delete": obj{}}},
		},
	}}
}

const (
	settingsComponent = "imwatch-settings"
	mappingsComponent = "imwatch-mappings"
)

// component is a part that all index templates are composed of.
type component struct {
	name string
	body obj
}

func (c Config) components() []component {
	settings := obj{"index.number_of_shards": c.Shards, "index.number_of_replicas": c.Replicas}
	if c.Codec != "" && c.Codec != CodecDefault {
		settings["index.codec"] = c.Codec
	}
	return []component{
		{settingsComponent, obj{"_meta": managed(), "template": obj{"settings": settings}}},
		{mappingsComponent, obj{"_meta": managed(), "template": obj{"mappings": event.Mapping()}}},
	}
}

// template is the index template of a kind. It names a policy only where there is one: a cluster without lifecycle
// management refuses the setting.
func (k kind) template(ilm bool) obj {
	t := obj{
		"_meta": managed(), "index_patterns": []string{k.pattern}, "priority": 200,
		"composed_of": []string{settingsComponent, mappingsComponent},
	}
	body := obj{}
	if k.pattern == event.DeadLetterIndices {
		body["mappings"] = event.DeadLetterMapping()
	}
	settings := maps.Clone(k.more)
	if ilm && k.days > 0 {
		if settings == nil {
			settings = obj{}
		}
		settings["index.lifecycle.name"] = k.name
		if k.daily {
			settings["index.lifecycle.parse_origination_date"] = true
		}
	}
	if len(settings) > 0 {
		body["settings"] = settings
	}
	if len(body) > 0 {
		t["template"] = body
	}
	return t
}

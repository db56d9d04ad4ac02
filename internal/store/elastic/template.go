package elastic

import (
	"fmt"

	"imwatch/event"
)

// kind is one sort of index: what its names look like and how long it is kept.
type kind struct {
	name    string
	pattern string
	days    int  // from the index's first instant until it is deleted; 0: never
	daily   bool // the name ends in a day, from which the age counts; else it counts from the index's making
}

const longestMonth = 31

// kinds gives the sorts of indices. A day or month of documents goes as a whole, when its last instant's time is up.
func (c Config) kinds() []kind {
	var all []kind
	for _, class := range event.Classes() {
		all = append(all, kind{"imwatch-connection-" + class.Name, "im-connection-" + class.Name + "-*", class.Days + 1, true})
	}
	return append(all,
		kind{"imwatch-deadletter", event.DeadLetterIndices, c.DeadLetterDays + 1, true},
		kind{"imwatch-alerts", event.AlertIndices, c.AlertDays + longestMonth, false},
		kind{"imwatch-notify", "im-notify-*", c.AlertDays + longestMonth, false},
		kind{"imwatch-desk", "im-desk-*", c.AlertDays + longestMonth, false},
		kind{"imwatch-silences", "im-silences", 0, false},
		kind{"imwatch-budgets", "im-budgets", 0, false})
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
	return []component{
		{settingsComponent, obj{"_meta": managed(), "template": obj{"settings": obj{
			"index.number_of_shards": c.Shards, "index.number_of_replicas": c.Replicas,
		}}}},
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
	if ilm && k.days > 0 {
		settings := obj{"index.lifecycle.name": k.name}
		if k.daily {
			settings["index.lifecycle.parse_origination_date"] = true
		}
		body["settings"] = settings
	}
	if len(body) > 0 {
		t["template"] = body
	}
	return t
}

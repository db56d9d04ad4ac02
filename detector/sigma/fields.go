package sigma

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"imwatch/event"
	"imwatch/event/filter"

	"go.yaml.in/yaml/v3"
)

// Map says what of Sigma's taxonomy is what of ours. The zero Map has nothing beside the defaults: the names of the
// event contract with their aliases, and the usual names of web, firewall and authentication logs.
type Map struct {
	// Fields maps Sigma's names to fields of the event contract.
	Fields map[string]string `yaml:"fields"`
	// Keywords is the text field that is searched for words without a field; "": such searches are refused.
	Keywords string `yaml:"keywords"`
	// LogSources says which events a log source stands for, in KQL, by category, product or service, as in
	// webserver: 'event.dataset: im.http'. "" means every event.
	LogSources map[string]string `yaml:"logsources"`
}

// ParseMap reads a mapping file. The error names what is wrong.
func ParseMap(src []byte) (Map, error) {
	var m Map
	dec := yaml.NewDecoder(bytes.NewReader(src))
	dec.KnownFields(true)
	if err := dec.Decode(&m); err != nil && !errors.Is(err, io.EOF) {
		return m, fmt.Errorf("reading the mapping: %w; allowed are fields, keywords, logsources", err)
	}
	for name, ours := range m.Fields {
		if _, ok := event.FieldByName(ours); !ok {
			return m, fmt.Errorf("reading the mapping: fields.%s: unknown field %q%s", name, ours, nearestField(ours))
		}
	}
	if m.Keywords != "" {
		if f, ok := event.FieldByName(m.Keywords); !ok || f.Type != event.Text {
			return m, fmt.Errorf("reading the mapping: keywords: found %q, expected a field of type text, as message", m.Keywords)
		}
	}
	return m, nil
}

func nearestField(name string) string {
	if near := event.NearestField(name); near != "" {
		return fmt.Sprintf("; the nearest is %q", near)
	}
	return ""
}

// usual gives our field for the usual names of other taxonomies, in lower case.
func usual() map[string]string {
	return map[string]string{
		"c-ip": "client.ip", "src_ip": "client.ip", "sourceip": "client.ip", "source.ip": "client.ip", "ipaddress": "client.ip", "clientip": "client.ip",
		"src_port": "client.port", "sourceport": "client.port", "source.port": "client.port",
		"dst_port": "destination.port", "destinationport": "destination.port",
		"cs-uri-stem": "url.path", "c-uri-path": "url.path", "cs-method": "http.request.method", "sc-status": "http.response.status_code",
		"c-useragent": "user_agent.original", "cs-user-agent": "user_agent.original", "useragent": "user_agent.original",
		"cs-username": "user.id", "user": "user.id", "username": "user.id", "user.name": "user.id", "targetusername": "user.id",
		"computername": "service.node.name", "hostname": "service.node.name", "host.name": "service.node.name",
	}
}

// field gives our field for a name of Sigma's.
func (c *converter) field(d *doc, n *yaml.Node, name string) (filter.Field, bool) {
	ours, mapped := c.options.Map.Fields[name]
	if !mapped {
		ours = name
		if _, known := event.FieldByName(name); !known {
			if u := usual()[strings.ToLower(name)]; u != "" {
				ours = u
			}
		}
	}
	f, ok := event.FieldByName(ours)
	if !ok {
		c.fail(d, n, "field %q is not in the event contract%s; say in the mapping file what it is, as in fields: {%s: client.ip}", name, nearestField(name), name)
		return filter.Field{}, false
	}
	return filter.Field{Name: f.Name, ID: f.ID, Type: f.Type}, true
}

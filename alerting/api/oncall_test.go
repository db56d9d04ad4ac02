package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestOnCall: who is on call at a time, who is next, and shifts from one time to another.
func TestOnCall(t *testing.T) {
	t.Parallel()
	s := newSite(t) // on a Saturday in the third week
	text := s.want(200, Viewer, "GET", "/api/v1/oncall?schedule=lead", "", `"person":"ann","from":"2026-11-16T09:00:00Z","until":"2026-11-23T09:00:00Z","by":"weeks"`)
	if !strings.Contains(text, `"next":{"schedule":"lead","person":"bob","from":"2026-11-23T09:00:00Z","until":"2026-11-30T09:00:00Z"`) {
		t.Errorf("who is next is missing in %s", text)
	}
	s.want(200, Viewer, "GET", "/api/v1/oncall?at=2026-11-24T00:00:00%2B08:00", "", `"at":"2026-11-23T16:00:00Z"`)
	s.want(200, Viewer, "GET", "/api/v1/oncall?at=2026-11-21T20:00:00Z&schedule=days", "", `"person":"","from":"2026-11-21T18:00:00Z","until":"2026-11-22T09:00:00Z"`)
	text = s.want(200, Viewer, "GET", "/api/v1/oncall/shifts?schedule=lead&from=2026-11-20T00:00:00Z&to=2026-12-02T00:00:00Z", "", `"from":"2026-11-20T00:00:00Z"`)
	var answer struct {
		Shifts []struct{ Person string } `json:"shifts"`
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer.Shifts) != 3 || answer.Shifts[1].Person != "bob" {
		t.Errorf("%s: %v", text, err)
	}
	s.want(401, "", "GET", "/api/v1/oncall", "", "bearer token")
	for query, part := range map[string]string{
		"/api/v1/oncall?schedule=leda": `did you mean \"lead\"?`, "/api/v1/oncall?at=noon": "expected a time", "/api/v1/oncall?when=now": "unknown",
		"/api/v1/oncall/shifts?to=2026-11-20T00:00:00Z": "more than 0", "/api/v1/oncall/shifts?to=2029-11-20T00:00:00Z": "at most", "/api/v1/oncall/shifts?from=9999-11-20T00:00:00Z": "from: found",
		"/api/v1/oncall/overrides?state=over": "expected active or all",
	} {
		s.want(400, Viewer, "GET", query, "", part)
	}
}

// TestOverrides are made and ended by responders, count at once, change nothing that was, and stand in the audit.
func TestOverrides(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const path = "/api/v1/oncall/overrides"
	s.want(403, Viewer, "POST", path, `{"schedule":"lead","person":"bob","for":"2h"}`, "responder is needed")
	for body, part := range map[string]string{
		`{"schedule":"leda","person":"bob","for":"2h"}`: `did you mean \"lead\"?`, `{"schedule":"lead","person":"bib","for":"2h"}`: `did you mean \"bob\"?`,
		`{"schedule":"lead","person":"bob"}`: "until: needed", `{"schedule":"lead","person":"bob","for":"2h","until":"2026-11-22T00:00:00Z"}`: "no until beside it",
		`{"schedule":"lead","person":"bob","for":"3000h"}`: "change the schedule", `{"schedule":"lead","person":"bob","until":"2026-11-20T00:00:00Z"}`: "is not after from", `{"who":"bob"}`: "unknown field",
	} {
		s.want(400, Responder, "POST", path, body, part)
	}
	text := s.want(201, Responder, "POST", path, `{"schedule":"lead","person":"bob","for":"2h","reason":"ann flies"}`, `"from":"2026-11-21T10:00:00Z","until":"2026-11-21T12:00:00Z","author":"responder-1"`)
	var o struct{ ID string }
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	s.want(200, Viewer, "GET", "/api/v1/oncall?schedule=lead", "", `"person":"bob","from":"2026-11-21T10:00:00Z","until":"2026-11-21T12:00:00Z","by":"`+o.ID+`"`)
	s.want(200, Viewer, "GET", "/api/v1/oncall?schedule=lead&at=2026-11-21T09:59:59Z", "", `"person":"ann"`)
	s.now = s.now.Add(time.Hour)
	s.want(404, Responder, "DELETE", path+"/nothing", "", "there is none")
	s.want(200, Responder, "DELETE", path+"/"+o.ID, "", `"ended":"2026-11-21T11:00:00Z","ended_by":"responder-1"`)
	s.want(200, Responder, "DELETE", path+"/"+o.ID, "", `"ended":"2026-11-21T11:00:00Z"`)
	s.want(200, Viewer, "GET", "/api/v1/oncall?schedule=lead", "", `"person":"ann"`)
	s.want(200, Viewer, "GET", "/api/v1/oncall?schedule=lead&at=2026-11-21T10:30:00Z", "", `"person":"bob"`)
	s.want(200, Viewer, "GET", path, "", `{"overrides":[]}`)
	s.want(200, Viewer, "GET", path+"?state=all", "", o.ID)
	audit := s.want(200, Admin, "GET", "/api/v1/audit", "", "override_create")
	if strings.Count(audit, "override_end") != 1 {
		t.Errorf("the audit: %s", audit)
	}
	// One that has not begun never does, once it is ended.
	text = s.want(201, Responder, "POST", path, `{"schedule":"lead","person":"bob","from":"2026-11-22T00:00:00Z","for":"2h"}`, "")
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	s.want(200, Viewer, "GET", "/api/v1/oncall?schedule=lead&at=2026-11-22T01:00:00Z", "", `"person":"bob"`)
	s.want(200, Responder, "DELETE", path+"/"+o.ID, "", "")
	s.want(200, Viewer, "GET", "/api/v1/oncall?schedule=lead&at=2026-11-22T01:00:00Z", "", `"person":"ann"`)
}

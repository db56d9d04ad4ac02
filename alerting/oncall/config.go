package oncall

import "time"

// Config says who is on call when. The zero Config has no schedules.
type Config struct {
	People    []Person   `yaml:"people" doc:"who can be on call, and how each is told"`
	Schedules []Schedule `yaml:"schedules" doc:"who is on call when; routes name them oncall:NAME"`
}

// IsZero says whether nothing is configured.
func (c Config) IsZero() bool { return len(c.People) == 0 && len(c.Schedules) == 0 }

// Person is somebody who can be on call.
type Person struct {
	Name      string   `yaml:"name" doc:"what schedules call them"`
	Receivers []string `yaml:"receivers" doc:"names of the receivers by which they are told, all of them"`
	Also      []string `yaml:"also" doc:"further names and mail addresses by which calendars know them"`
}

// Schedule says who is on call at every instant.
type Schedule struct {
	Name      string     `yaml:"name" doc:"what routes call it, behind oncall:"`
	Zone      string     `yaml:"zone" doc:"IANA name of the zone of its clock, as Asia/Shanghai; none: UTC"`
	ICal      string     `yaml:"ical" doc:"path of an iCalendar file, which is read again when it changes: each event's attendee, or else its summary, is on call"`
	Rotations []Rotation `yaml:"rotations" doc:"people who take turns; the first rotation that has somebody counts"`
	Overrides []StandIn  `yaml:"overrides" doc:"who stands in, for a time; of several the last one counts. Others are made by people"`
	Default   []string   `yaml:"default" doc:"names of the receivers that are told while nobody is on call"`
}

// Rotation is a row of people who take turns.
type Rotation struct {
	Name   string        `yaml:"name" doc:"what people call it"`
	Start  string        `yaml:"start" doc:"when the first one's turn begins, by the zone's clock: 2026-11-02T09:00. Hand-overs are at that hour of the clock, in summer and winter"`
	Every  time.Duration `yaml:"every" doc:"how long a turn is: 1w, 1d, 12h; whole days are days of the clock, of 23 or 25 hours where it is put forward or back"`
	People []string      `yaml:"people" doc:"names in the order of their turns"`
	Hours  []Hours       `yaml:"hours" doc:"on call at these hours only; none: always. Turns go on meanwhile"`
}

// Hours are a stretch of hours on some days of the week. One that ends at or before the hour at which it begins goes on into
// the next day.
type Hours struct {
	Days  []string `yaml:"days" doc:"mon, tue, wed, thu, fri, sat, sun; none: every day"`
	From  string   `yaml:"from" doc:"hour at which it begins, as 09:00"`
	Until string   `yaml:"until" doc:"hour at which it ends; at or before from: on the next day; 24:00 is midnight"`
}

// StandIn puts one person in place of whoever would be on call.
type StandIn struct {
	Person string `yaml:"person" doc:"who stands in"`
	From   string `yaml:"from" doc:"when it begins, by the zone's clock (2026-12-24T09:00), or with an offset"`
	Until  string `yaml:"until" doc:"when it ends, likewise"`
}

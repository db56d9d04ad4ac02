package calendar

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"imwatch/rules"
)

// Folder is the name of the folder beside rules that holds calendars.
const Folder = "calendars"

// Shipped gives a calendar that comes with the program. The error is fs.ErrNotExist (wrapped) for an unknown name.
func Shipped(name string) (*Calendar, error) {
	src, err := fs.ReadFile(rules.Calendars(), path.Join(Folder, name+".yaml"))
	if err != nil {
		return nil, err
	}
	c, faults := Read(name, src)
	if len(faults) > 0 { // a test reads them all
		return nil, errors.New(faults[0].Message)
	}
	return c, nil
}

// ShippedNames gives the names of the calendars that come with the program.
func ShippedNames() []string {
	entries, _ := fs.ReadDir(rules.Calendars(), Folder)
	var names []string
	for _, e := range entries {
		names = append(names, NameOf(e.Name()))
	}
	slices.Sort(names)
	return names
}

// NameOf gives the name of the calendar in a file, "" for a file that holds none.
func NameOf(file string) string {
	base := path.Base(file)
	for _, ending := range []string{".yaml", ".yml"} {
		if name, ok := strings.CutSuffix(base, ending); ok && !strings.HasPrefix(base, ".") {
			return name
		}
	}
	return ""
}

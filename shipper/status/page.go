package status

import (
	"encoding/base64"
	"slices"
)

// Page is a part of the list of files.
type Page struct {
	Node    string `json:"node"`
	Total   int    `json:"total"`   // files and inputs that are known
	Matched int    `json:"matched"` // that the filter asks for, on all pages
	Files   []File `json:"files"`
	Next    string `json:"next,omitempty"` // after of the next page; "" on the last
}

// Pick gives the page that the filter asks for, in order of the paths.
func Pick(node string, all []File, f *Filter) Page {
	p := Page{Node: node, Total: len(all), Files: []File{}}
	slices.SortFunc(all, func(a, b File) int { return a.order(&b) })
	for i := range all {
		x := &all[i]
		if !f.Match(x) {
			continue
		}
		p.Matched++
		switch {
		case x.key() <= f.after && f.after != "":
		case len(p.Files) < f.Limit:
			p.Files = append(p.Files, *x)
		case p.Next == "":
			p.Next = cursor(&p.Files[len(p.Files)-1])
		}
	}
	return p
}

func cursor(f *File) string { return base64.RawURLEncoding.EncodeToString([]byte(f.key())) }

func parseCursor(s string) (string, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return string(b), err == nil && slices.Contains(b, 0)
}

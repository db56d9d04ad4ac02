package render

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	html "html/template"
	"io"
	"io/fs"
	"slices"
	"strings"
	"text/template"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
)

//go:embed templates
var packs embed.FS

// Languages gives the languages that there is a pack for.
func Languages() []string { return []string{"en", "zh"} }

// Options say how notifications are worded. The zero Options are valid.
type Options struct {
	Zone  *time.Location // of the times shown; nil: UTC
	Links Links          // where links lead
	// Templates holds files that take the place of built-in ones, LANGUAGE/NAME; nil: none.
	Templates fs.FS
}

// Renderer makes messages. Immutable and safe for concurrent use.
type Renderer struct {
	links Links
	zone  *time.Location
	packs map[string]map[Style]pack // by language
}

type pack struct {
	text *template.Template
	html *html.Template
}

// New reads the templates and tries each of them on sample alerts, so that what can go wrong with a template is known
// before there is an alert to tell. All faults are said at once.
func New(o Options) (*Renderer, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	r := &Renderer{links: o.Links, zone: o.Zone, packs: map[string]map[Style]pack{}}
	over, err := overrides(o.Templates)
	if err != nil {
		return nil, err
	}
	for _, lang := range Languages() {
		r.packs[lang] = map[Style]pack{}
		for _, s := range Styles() {
			if r.packs[lang][s], err = read(lang, s, o.Zone, over); err != nil {
				return nil, err
			}
		}
	}
	if over == nil {
		return r, nil
	}
	return r, r.try()
}

// read parses a language's templates with a style's functions.
func read(lang string, s Style, zone *time.Location, over map[string]string) (pack, error) {
	funcs := functions(lang, zone, s)
	p := pack{template.New(lang).Option("missingkey=error").Funcs(funcs), html.New(lang).Option("missingkey=error").Funcs(funcs)}
	for _, name := range names(lang) {
		text, ok := over[lang+"/"+name]
		if !ok {
			b, err := packs.ReadFile("templates/" + lang + "/" + name)
			if err != nil {
				return p, fmt.Errorf("reading templates: %w", err)
			}
			text = string(b)
		}
		var err error
		if strings.HasSuffix(name, ".html") {
			_, err = p.html.New(name).Parse(text)
		} else {
			_, err = p.text.New(name).Parse(text)
		}
		if err != nil {
			return p, fmt.Errorf("templates: %s/%w", lang, cleanError(err))
		}
	}
	return p, nil
}

// cleanError takes the words of the template packages off, so that an error begins with the file and the line.
func cleanError(err error) error {
	return errors.New(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "template: "), "html/template: "))
}

// names gives the file names of a language's pack.
func names(lang string) []string {
	entries, err := packs.ReadDir("templates/" + lang)
	if err != nil {
		return nil
	}
	out := make([]string, len(entries))
	for i, e := range entries {
		out[i] = e.Name()
	}
	return out
}

// overrides reads the user's templates. A file that would never be used is an error.
func overrides(files fs.FS) (map[string]string, error) {
	if files == nil {
		return nil, nil //nolint:nilnil // there are none
	}
	out := map[string]string{}
	var errs []error
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		lang, name, _ := strings.Cut(path, "/")
		if !slices.Contains(Languages(), lang) || !slices.Contains(names(lang), name) {
			errs = append(errs, fmt.Errorf("templates: found %s, expected LANGUAGE/NAME%s", path, near(path)))
			return nil
		}
		b, err := fs.ReadFile(files, path)
		out[path] = string(b)
		return err
	})
	return out, errors.Join(append(errs, err)...)
}

func near(path string) string {
	var all []string
	for _, lang := range Languages() {
		for _, name := range names(lang) {
			all = append(all, lang+"/"+name)
		}
	}
	if n := event.Nearest(path, all); n != "" {
		return fmt.Sprintf("; did you mean %s?", n)
	}
	return "; allowed are " + strings.Join(all, ", ")
}

// try runs every template on samples.
func (r *Renderer) try() error {
	var errs []error
	for _, lang := range Languages() {
		for _, s := range Styles() {
			for _, a := range samples() {
				_, err := r.Message(s, lang, channel.Kind(a.State), a)
				if err == nil {
					_, err = r.PassedOn(s, lang, a, Passed{After: time.Minute})
				}
				if err != nil {
					errs = append(errs, err)
					break
				}
			}
			if err := r.tryGroup(s, lang); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// samples are alerts with all that an alert can have and with the least.
func samples() []*event.Alert {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return []*event.Alert{
		{
			Time: at.Add(time.Hour), ID: "sample", State: event.StateResolved, RuleID: "rule", RuleName: "Rule", Severity: "high",
			Key: []event.KeyPart{{Field: "client.ip", Value: "192.0.2.1"}}, Value: 21, Limit: "> 20", Window: "1m", From: at, To: at.Add(time.Hour), Degraded: true,
			Top: map[string][]event.TopValue{"user.id": {{Value: "alice", Count: 2}}}, Labels: map[string]string{"team": "im"},
			Annotations: map[string]string{"summary": "summary", "runbook": "runbook", "note": "note"},
		},
		{Time: at, From: at, ID: "sample", State: event.StateFiring, RuleID: "rule", Severity: "info", Limit: "> 0"},
	}
}

// Message renders what a receiver is told about an alert in a language.
func (r *Renderer) Message(style Style, lang string, kind channel.Kind, a *event.Alert, more ...channel.Link) (channel.Message, error) {
	return r.message(style, lang, kind, a, "", more)
}

// message renders with the reason why it is passed on, "" for what is not.
func (r *Renderer) message(style Style, lang string, kind channel.Kind, a *event.Alert, passed string, more []channel.Link) (channel.Message, error) {
	p, ok := r.packs[lang][style]
	if !ok {
		return channel.Message{}, fmt.Errorf("no templates for language %q and style %q", lang, style)
	}
	clean := cleaner(style)
	v := newView(kind, a, clean)
	v.Passed = clean(passed)
	v.Links = r.links.of(lang, a)
	v.Links = append(v.Links, named(lang, more)...)
	m := channel.Message{Fields: rows(&v, lang, r.zone), Links: v.Links}
	var errs [3]error
	m.Title, errs[0] = run(p.text, "title.txt", v)
	m.Body, errs[1] = run(p.text, style.file(), v)
	if style == Email {
		m.HTML, errs[2] = run(p.html, "email.html", v)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return channel.Message{}, fmt.Errorf("rendering alert %s in %s/%s: %w", a.ID, lang, style, err)
	}
	return m, nil
}

// named gives links with the names that the language has for theirs.
func named(lang string, links []channel.Link) (out []channel.Link) {
	for _, l := range links {
		out = append(out, channel.Link{Name: word(lang, l.Name), URL: l.URL})
	}
	return out
}

func run(t interface {
	ExecuteTemplate(w io.Writer, name string, data any) error
}, name string, v any,
) (string, error) {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, v); err != nil {
		return "", cleanError(err)
	}
	text := strings.TrimSpace(b.String())
	for strings.Contains(text, "\n\n\n") { // where a template left something out
		text = strings.ReplaceAll(text, "\n\n\n", "\n\n")
	}
	return text, nil
}

package render

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	html "html/template"
	"io"
	"text/template"
	"time"

	"imwatch/alerting/channel"
	"imwatch/event"
)

//go:embed templates
var packs embed.FS

// Style is a way of showing.
type Style string

// The styles.
const (
	WeCom Style = "wecom" // WeCom's Markdown
	Plain Style = "plain" // text of some lines
	Email Style = "email" // text and HTML
	SMS   Style = "sms"   // one short line
)

// Languages gives the languages that there is a pack for.
func Languages() []string { return []string{"en", "zh"} }

// Renderer makes messages. Immutable and safe for concurrent use.
type Renderer struct {
	zone  *time.Location
	packs map[string]pack
}

type pack struct {
	text *template.Template
	html *html.Template
}

// New reads the built-in templates. Times are shown in zone.
func New(zone *time.Location) (*Renderer, error) {
	r := &Renderer{zone: zone, packs: map[string]pack{}}
	for _, lang := range Languages() {
		funcs := functions(lang, zone)
		text, err := template.New(lang).Option("missingkey=error").Funcs(funcs).ParseFS(packs, "templates/"+lang+"/*.txt")
		if err != nil {
			return nil, fmt.Errorf("reading templates: %w", err)
		}
		page, err := html.New(lang).Option("missingkey=error").Funcs(funcs).ParseFS(packs, "templates/"+lang+"/*.html")
		if err != nil {
			return nil, fmt.Errorf("reading templates: %w", err)
		}
		r.packs[lang] = pack{text, page}
	}
	return r, nil
}

// Message renders what a receiver is told about an alert in a language.
func (r *Renderer) Message(style Style, lang string, kind channel.Kind, a *event.Alert) (channel.Message, error) {
	p, ok := r.packs[lang]
	if !ok {
		return channel.Message{}, fmt.Errorf("no templates for language %q", lang)
	}
	v := newView(kind, a, cleaner(style))
	var m channel.Message
	var errs [3]error
	m.Title, errs[0] = run(p.text, "title.txt", v)
	m.Body, errs[1] = run(p.text, string(style)+".txt", v)
	if style == Email {
		m.HTML, errs[2] = run(p.html, "email.html", v)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return channel.Message{}, fmt.Errorf("rendering alert %s: %w", a.ID, err)
	}
	return m, nil
}

func run(t interface {
	ExecuteTemplate(w io.Writer, name string, data any) error
}, name string, v view,
) (string, error) {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, name, v); err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(b.Bytes())), nil
}

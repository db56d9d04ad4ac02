package sms

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/template"
)

// values are what the body's templates see.
type values struct{ Number, Text, Token, ID string }

// body makes requests' bodies.
type body struct {
	form map[string]*template.Template
	json *template.Template
}

func newBody(cfg Config) (body, error) {
	b := body{form: map[string]*template.Template{}}
	var errs []error
	for name, text := range cfg.Form {
		t, err := parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("form.%s: %w", name, err))
		}
		b.form[name] = t
	}
	if cfg.JSON == "" {
		return b, errors.Join(errs...)
	}
	var err error
	if b.json, err = parse(cfg.JSON); err != nil {
		return b, errors.Join(append(errs, fmt.Errorf("json: %w", err))...)
	}
	sample, err := run(b.json, values{`+86 "138"`, "a\n\"b\"", `t"`, "id"})
	if err == nil && !json.Valid([]byte(sample)) {
		err = errors.New(`does not make valid JSON; every value goes through json: {{json .Text}}`)
	}
	if err != nil {
		errs = append(errs, fmt.Errorf("json: %w", err))
	}
	return b, errors.Join(errs...)
}

func parse(text string) (*template.Template, error) {
	t, err := template.New("body").Option("missingkey=error").Funcs(template.FuncMap{"json": quote}).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading template: %w", err)
	}
	return t, t.Execute(io.Discard, values{})
}

func quote(s string) (string, error) {
	b, err := json.Marshal(s)
	return string(b), err
}

func run(t *template.Template, v values) (string, error) {
	var b strings.Builder
	err := t.Execute(&b, v)
	return b.String(), err
}

// make gives the body and its content type.
func (b body) make(v values) (text, contentType string, err error) {
	if b.json != nil {
		text, err = run(b.json, v)
		return text, "application/json", err
	}
	form := url.Values{}
	for name, t := range b.form {
		s, err := run(t, v)
		if err != nil {
			return "", "", err
		}
		form.Set(name, s)
	}
	return form.Encode(), "application/x-www-form-urlencoded", nil
}

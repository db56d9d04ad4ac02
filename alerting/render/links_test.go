package render_test

import (
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"imwatch/alerting/channel"
	"imwatch/alerting/render"
	"imwatch/event"

	"pgregory.net/rapid"
)

// TestLinksStayLinks: whatever stands in a key, it stays inside the link, and Kibana reads back what was meant.
func TestLinksStayLinks(t *testing.T) {
	r, err := render.New(render.Options{Links: render.Links{Kibana: "https://kibana.example.org", DataView: "v", Console: "https://c.example.org/", Runbooks: "https://r.example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		evil := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{`a"b\c`, "it's !", "](http://evil)", "x|y>", "a&_a=()", "中文 空格"})).Draw(t, "value")
		a := sample(channel.Firing)
		a.Key = []event.KeyPart{{Field: "user.id", Value: evil}, {Field: "im.platform", Value: "_missing"}}
		a.Top["trace.id"] = []event.TopValue{{Value: "0af7651916cd43dd8448eb211c80319c", Count: 3}}
		m, err := r.Message(render.WeComV2, "en", channel.Firing, a)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Links) != 4 {
			t.Fatalf("%+v", m.Links)
		}
		for _, l := range m.Links {
			if strings.ContainsAny(l.URL, "()<>|\"' \n") {
				t.Fatalf("%s could end a link: %s", l.Name, l.URL)
			}
		}
		u, err := url.Parse(m.Links[1].URL)
		if err != nil {
			t.Fatal(err)
		}
		q, err := url.ParseQuery(strings.TrimPrefix(u.EscapedFragment(), "/?"))
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Get("_g"); got != "(time:(from:'2026-11-21T06:29:00.000Z',to:'2026-11-21T06:31:36.000Z'))" {
			t.Fatalf("time: %s", got)
		}
		if got := q.Get("_a"); !strings.HasPrefix(got, `(index:'v',query:(language:kuery,query:'user.id:"`) || !strings.HasSuffix(got, `" and not im.platform:*'))`) {
			t.Fatalf("query: %s", got)
		}
	})
}

func TestLinksValidate(t *testing.T) {
	err := render.Links{Kibana: "kibana:5601", Console: "https://u:p@h", Runbooks: "https://h/(x)"}.Validate("links")
	for _, want := range []string{"links.kibana", "links.console", "links.runbooks"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
}

func TestTemplatesOfOnesOwn(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	r, err := render.New(render.Options{Templates: fstest.MapFS{
		"zh/wecom.txt": file(`{{.Rule}} {{bytes 1536}} {{bytes .Value}} {{in "America/New_York" .From}} {{duration .Lasted}}{{with .Table}} {{table (list "a" "b" "c") .}}{{end}}`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Message(render.WeCom, "zh", channel.Firing, sample(channel.Firing))
	if want := "Handshake failures from one address 1.5 KiB 21 B 2026-11-21 01:30:00 -05:00 1m35s > im.platform ios 21\n> user.id alice 12\n> user.id ＜＠all> 9"; err != nil || m.Body != want {
		t.Errorf("%q, %v", m.Body, err)
	}
	for name, tc := range map[string]struct {
		files fstest.MapFS
		want  []string
	}{
		"a name that is none":     {fstest.MapFS{"zh/wecon.txt": file("x")}, []string{"zh/wecon.txt", "did you mean zh/wecom.txt?"}},
		"a language that is none": {fstest.MapFS{"fr/wecom.txt": file("x")}, []string{"fr/wecom.txt"}},
		"a template that is none": {fstest.MapFS{"en/sms.txt": file("{{.Rule")}, []string{"en/sms.txt:1"}},
		"a field that is none":    {fstest.MapFS{"en/sms.txt": file("\n{{.Rool}}")}, []string{"sms.txt:2", "Rool"}},
		"a function that is none": {fstest.MapFS{"en/email.html": file(`{{env "HOME"}}`)}, []string{"email.html:1", "env"}},
		"a zone that is none":     {fstest.MapFS{"en/plain.txt": file(`{{in "Mars" .At}}`)}, []string{`found zone "Mars"`}},
	} {
		_, err := render.New(render.Options{Templates: tc.files})
		for _, want := range tc.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: no %q in %v", name, want, err)
			}
		}
	}
}

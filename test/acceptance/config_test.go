package acceptance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/template"
)

const (
	jwtSecret  = "acceptance-secret-of-32-bytes-or-more"
	hookSecret = "hook-secret"
	mailUser   = "imwatch"
	mailSecret = "mail-secret"
)

// configuration is what both modes are run with: short heartbeats, a small log file so that it is rotated, and each
// alert for three receivers, once.
var configuration = template.Must(template.New("imwatch.yaml").Parse(`
log: {level: info, format: text}
im_server:
  jwt: {keys: [{algorithm: HS256, secret: "file:{{.Dir}}/jwt.secret"}]}
  heartbeat: {interval: 2s, timeout: 6s, max_missed: 3}
  drain: {timeout: 10s}
  log: {max_bytes: 200000, keep: 0}
alerting:
  receivers:
    - name: robot
      wecom: {url: "file:{{.Dir}}/robot.url", per_minute: 1000} # each alert by itself: a digest names no ids
      send_updated: false
      send_resolved: false
    - name: mail
      email:
        host: {{.MailHost}}
        port: {{.MailPort}}
        ca_file: {{.Dir}}/mail.pem
        username: ` + mailUser + `
        password: "file:{{.Dir}}/mail.secret"
        from: imwatch@example.org
        to: [oncall@example.org]
        per_minute: 1000
      send_updated: false
      send_resolved: false
    - name: hook
      webhook: {url: "file:{{.Dir}}/hook.url", secret: "file:{{.Dir}}/hook.secret", allow_private: true}
      send_updated: false
      send_resolved: false
  route:
    routes:
      - {receivers: [robot], continue: true}
      - {match: ['severity in [high, critical]'], receivers: [mail], continue: true}
      - {match: ['rule =~ ".*"'], receivers: [hook]}
detector:
  rules: [{{.Rules}}]
{{- if .Kafka}}
  checkpoint: {{.Dir}}/detector.checkpoint
shipper:
  sources: [{paths: ["{{.Logs}}/*.log"], format: contract}]
  checkpoint: {{.Dir}}/shipper.checkpoint
kafka: {brokers: ["{{.Kafka}}"]}
elasticsearch: {addresses: ["{{.Elastic}}"], replicas: 0}
{{- end}}
`))

// settings fill the configuration.
type settings struct {
	Dir, Logs      string
	Rules          string // folder; "": the shipped rules
	MailHost       string
	MailPort       int
	Kafka, Elastic string // "": embedded
}

// write puts the configuration and the secrets that it names into the folder, and gives its file.
func (s settings) write(t *testing.T, told *receivers) string {
	t.Helper()
	for name, text := range map[string]string{
		"jwt.secret": jwtSecret, "hook.secret": hookSecret, "mail.secret": mailSecret,
		"robot.url": told.robot.URL(), "hook.url": told.robot.WebhookURL(), "mail.pem": string(told.mail.CA()),
	} {
		writeFile(t, filepath.Join(s.Dir, name), text)
	}
	s.MailHost, s.MailPort = told.mail.Host(), told.mail.Port()
	var text strings.Builder
	if err := configuration.Execute(&text, s); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(s.Dir, "imwatch.yaml")
	writeFile(t, name, text.String())
	return name
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

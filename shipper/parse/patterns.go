package parse

// GinPattern is the line of gin's default logger. Colours are taken out before.
const GinPattern = `^\[GIN\] %{GIN_TIME:timestamp} \| +%{STATUS:http.response.status_code} \| +%{NOTSPACE:event.duration} \| +%{IP:client.ip} \| %{METHOD:http.request.method} +"%{QUOTED:url.path}"\s*$`

// NginxPattern is nginx's combined format, with $request_time after it or not, and with anything after that.
const NginxPattern = `^%{IP:client.ip} - %{NOTSPACE:user.id} \[%{HTTPDATE:timestamp}\] "%{QUOTED:request}" %{STATUS:http.response.status_code} %{NOTSPACE} "%{QUOTED}" "%{QUOTED:user_agent.original}"(?: %{SECONDS:event.duration}(?: .*)?)?\s*$`

// tight replaces the stock definitions of the library where those are slow: what an address or a date really is gets
// checked once it is found, not by the expression.
func tight() map[string]string {
	return map[string]string{
		"IP":                `[0-9A-Fa-f:.]+`,
		"IPV4":              `[0-9.]+`,
		"IPV6":              `[0-9A-Fa-f:.]+`,
		"IPORHOST":          `[0-9A-Za-z:._-]+`,
		"HOSTNAME":          `[0-9A-Za-z._-]+`,
		"NUMBER":            `[+-]?[0-9]+(?:\.[0-9]+)?`,
		"INT":               `[+-]?[0-9]+`,
		"WORD":              `\w+`,
		"HTTPDATE":          `[0-9]+/[A-Za-z]+/[0-9]+:[0-9:]+ [+-][0-9]+`,
		"TIMESTAMP_ISO8601": `[0-9]+-[0-9]+-[0-9]+[T ][0-9:]+(?:[.,][0-9]+)?(?:Z|[+-][0-9:]+)?`,
		"GIN_TIME":          `[0-9]+/[0-9]+/[0-9]+ - [0-9:]+`,
		"STATUS":            `[0-9]{3}`,
		"METHOD":            `[A-Z]+`,
		"SECONDS":           `[0-9]+\.[0-9]+`,
		"QUOTED":            `(?:[^"\\]|\\.)*`,
	}
}

// layouts are the forms of dates that are tried when none is configured, after RFC 3339.
func layouts() []string {
	return []string{
		"02/Jan/2006:15:04:05 -0700",
		"2006/01/02 - 15:04:05",
		"2006-01-02 15:04:05.999999999Z07:00",
		"2006-01-02 15:04:05.999999999",
		"2006-01-02T15:04:05.999999999",
		"2006/01/02 15:04:05.999999999",
	}
}
